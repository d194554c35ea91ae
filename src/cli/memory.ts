/** What is checked of `--memory` and `--accumulate` before anything runs. */

import { totalmem } from 'node:os';
import { UserError } from '../base/errors.ts';
import { peakResidentBytes, sizeText } from '../engine/memory/resident.ts';
import { divisors } from '../optim/micro-batches.ts';
import type { RunDirectory, RunSettings } from '../run/directory.ts';
import type { StagePlan } from '../stage/descriptor.ts';
import { expectedBaseline, planFor, planUnder } from '../training/memory.ts';
import { type StageName, stages } from '../training/stages.ts';

export interface MemoryOptions {
  readonly accumulate?: number;
  /** Bytes. */
  readonly memory?: number;
  readonly device?: string;
}

/**
 * A limit of memory is one of the process: a GPU has memory of its own.
 * @throws UserError if something else than the CPU is to compute.
 */
export function checkLimit({ memory, device = 'cpu' }: { readonly memory?: number; readonly device?: string }): void {
  if (memory !== undefined && device !== 'cpu')
    throw new UserError(
      `--memory is about this process, and with --device ${device} training is in the memory of the GPU: leave it out, and use --accumulate`,
    );
}

/** @throws UserError if a stage's batch does not divide into the micro-batches that are wanted. */
export function checkAccumulate(
  accumulate: number | undefined,
  { name, batch }: Pick<StagePlan, 'name' | 'batch'>,
): void {
  if (accumulate !== undefined && batch % Math.min(accumulate, batch) !== 0)
    throw new UserError(
      `--accumulate ${accumulate} does not divide the batch of stage ${name} (${name}.batch is ${batch}): choose one of ${divisors(batch).join(', ')}`,
    );
}

/**
 * A micro-batch must be a whole number of pictures, and fit into the memory there may be.
 * @throws UserError, before anything runs.
 */
export function checkMemory(
  options: MemoryOptions,
  settings: RunSettings,
  names: readonly StageName[],
  dim: number,
  resumed: RunDirectory | undefined,
): void {
  const { accumulate, memory: limit, device = 'cpu' } = options;
  const { recipe, clip } = settings;
  const peak = peakResidentBytes();
  if (limit !== undefined && clip !== 'compact' && peak > limit)
    throw new UserError(
      `--memory allows ${sizeText(limit)}, and the CLIP ${clip} alone has taken ${sizeText(peak)}: allow more`,
    );
  const trained = names.map((name) => stages[name]).filter((stage) => stage.isPartOf(settings));
  for (const [index, stage] of trained.entries()) {
    const planned = stage.plan(recipe, dim);
    checkAccumulate(accumulate, planned);
    if (limit === undefined && device === 'cpu' && !resumed?.hasModel(stage.name))
      refuseTooLarge(planned, planFor(planned, accumulate, expectedBaseline(stage, index)).bytes);
    // A model that is there may be finished; if it is not, its stage is planned when its turn comes.
    if (limit !== undefined && !resumed?.hasModel(stage.name))
      planUnder(planned, accumulate, limit, expectedBaseline(stage, index));
  }
}

/** Bytes that a process may hold on this machine: its memory, or what a container leaves of it. */
function machineBytes(): number {
  const constrained = process.constrainedMemory?.() ?? 0;
  return constrained > 0 ? Math.min(constrained, totalmem()) : totalmem();
}

/**
 * @throws UserError if a stage needs more memory than there is: the system would kill it without a message, hours
 * later.
 */
export function refuseTooLarge(
  { name, smaller }: Pick<StagePlan, 'name' | 'smaller'>,
  bytes: number,
  available = machineBytes(),
): void {
  if (bytes <= available) return;
  throw new UserError(
    `${name}: needs about ${sizeText(bytes)} of memory, and there are ${sizeText(available)}: lower ${smaller.activations}, compute batches in micro-batches (--memory ${Math.floor((0.85 * available) / 1e6)}M), or lower ${name}.batch`,
  );
}
