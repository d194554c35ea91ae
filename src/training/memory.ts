/**
 * How a stage is kept under a limit of memory: what it will need is read off its programs, and its batch is cut into
 * micro-batches that fit.
 */

import { UserError } from '../base/errors.ts';
import { option } from '../base/options.ts';
import { Engine } from '../engine/engine.ts';
import { type Footprint, totalBytes } from '../engine/memory/footprint.ts';
import { peakResidentBytes, residentBytes, settledBytes, sizeText } from '../engine/memory/resident.ts';
import { divisors, microBatchesOf } from '../optim/micro-batches.ts';
import type { StagePlan } from '../stage/descriptor.ts';

export interface MemoryPlan {
  readonly microBatches: number;
  readonly footprint: Footprint;
  /** Of the process, at the stage's peak, with the margin: what is compared with the limit. */
  readonly bytes: number;
}

/** What a process holds before a stage begins. */
export interface ProcessBaseline {
  readonly bytes: number;
  /** Whether it has run an engine before: the runtime is in those bytes then. */
  readonly hasRuntime: boolean;
}

/**
 * Before its first stage and before later ones: Node, this program and its libraries, as measured
 * (docs/performance.md).
 */
const [FIRST, LATER]: readonly [ProcessBaseline, ProcessBaseline] = [
  { bytes: 170e6, hasRuntime: false },
  { bytes: 380e6, hasRuntime: true },
];

/**
 * What a process is likely to hold before a stage, number `index` of those that run; no less than it does now. Pictures
 * are encoded before any stage that sees latents.
 */
export function expectedBaseline({ sees }: { readonly sees: string }, index: number): ProcessBaseline {
  const isFirst = index === 0 && sees !== 'latents';
  const { bytes, hasRuntime } = isFirst ? FIRST : LATER;
  return { bytes: Math.max(bytes, residentBytes()), hasRuntime };
}

/** What this process holds now. */
export const currentBaseline = (): ProcessBaseline => ({ bytes: settledBytes(), hasRuntime: Engine.hasStarted });

/** The runtime's libraries, as measured. */
const RUNTIME = 35e6;
/** Activations come out somewhat larger than their buffers, and the rest by a fixed amount (docs/performance.md). */
const [ACTIVATION_MARGIN, FIXED_MARGIN] = [0.2, 60e6];

/** Bytes that the process will hold at the peak of a stage, the safety margin included. */
export const peakBytes = (footprint: Footprint, { bytes, hasRuntime }: ProcessBaseline): number =>
  bytes + totalBytes(footprint) - (hasRuntime ? RUNTIME : 0) + ACTIVATION_MARGIN * footprint.activations + FIXED_MARGIN;

/** A plan without a limit. */
export function planFor(stage: StagePlan, wanted: number | undefined, baseline: ProcessBaseline): MemoryPlan {
  const microBatches = microBatchesOf(stage.batch, wanted);
  const footprint = stage.footprint(microBatches);
  return { microBatches, footprint, bytes: peakBytes(footprint, baseline) };
}

/**
 * The fewest micro-batches, `wanted` at least, with which a stage stays under `limit` bytes.
 * @throws UserError if it does not even picture by picture, with what it needs and what would lower that.
 */
export function planUnder(
  stage: StagePlan,
  wanted: number | undefined,
  limit: number,
  baseline: ProcessBaseline,
): MemoryPlan {
  let plan = planFor(stage, wanted, baseline);
  for (const microBatches of divisors(stage.batch)) {
    if (plan.bytes <= limit) break;
    if (microBatches > plan.microBatches) plan = planFor(stage, microBatches, baseline);
  }
  if (plan.bytes <= limit) return plan;
  const { state, activations } = plan.footprint;
  const fixed = plan.bytes - state - activations;
  const advice =
    fixed > Math.max(state, activations)
      ? `allow more: the program itself takes about ${sizeText(fixed)} of it`
      : `allow more, or lower ${stage.smaller[state > activations ? 'state' : 'activations']}`;
  throw new UserError(
    `${stage.name}: needs about ${sizeText(plan.bytes)} even one picture at a time, and ${option('memory')} allows ${sizeText(limit)}: ${advice}`,
  );
}

/** A line for a plan that differs from the settings. */
export const planLine = ({ name, batch }: StagePlan, { microBatches, bytes }: MemoryPlan, limit: number): string =>
  `${name}: batch ${batch} in ${microBatches} parts of ${batch / microBatches} to stay under ${sizeText(limit)}: about ${sizeText(bytes)}`;

/** From this share of the limit on a stage goes on in more micro-batches, as long as there are more. */
const NEARLY = 0.97;

/** Watches the process while a stage runs. */
export class MemoryWatch {
  /** An earlier peak is not of this stage. */
  private readonly before = peakResidentBytes();

  constructor(readonly limit: number) {}

  /** Whether the process has been over its limit since the watch began. */
  isOver(): boolean {
    return residentBytes() > this.limit || peakResidentBytes() > Math.max(this.limit, this.before);
  }

  /** Whether it is about to be. */
  isNear(): boolean {
    return residentBytes() > NEARLY * this.limit;
  }
}
