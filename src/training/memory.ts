/** How a stage is kept under a limit of memory: what it will need is read off its programs, and its batch is cut into parts that fit. */

import { UserError } from '../base/errors.ts';
import { Engine } from '../engine/engine.ts';
import { type Footprint, totalBytes } from '../engine/memory/footprint.ts';
import { peakResidentBytes, residentBytes, settledBytes, sizeText } from '../engine/memory/resident.ts';
import { divisors, partsOf } from '../optim/micro-batches.ts';
import type { StageName } from '../stage/stage.ts';

/** A stage as it can be planned: its batch, and what it needs when that is computed in parts. */
export interface PlannedStage {
  readonly name: StageName | 'encoding';
  readonly batch: number;
  footprint(parts: number): Footprint;
  /** What makes it smaller, beside its batch, if state or activations are what is large. */
  readonly smaller: { readonly state: string; readonly activations: string };
}

export interface MemoryPlan {
  readonly parts: number;
  readonly footprint: Footprint;
  /** Of the process, at the stage's peak, with the margin: what is compared with the limit. */
  readonly bytes: number;
}

/** What a process is before a stage begins. */
export interface Before {
  /** Bytes that it holds. */
  readonly base: number;
  /** Whether it has run an engine before: the runtime is in those bytes then. */
  readonly warm: boolean;
}

/** Before its first stage and before later ones: Node, this program and its libraries, as measured (docs/performance.md). */
const [FIRST, LATER]: readonly [Before, Before] = [
  { base: 170e6, warm: false },
  { base: 380e6, warm: true },
];

/**
 * What a process is likely to be before a stage, number `index` of those that run, where it is not there yet; no less than it is
 * now. Pictures are encoded before any stage of the diffusion model.
 */
export function foreseen(stage: StageName, index: number): Before {
  const isFirst = index === 0 && (stage === 'clip' || stage === 'tokenizer');
  const { base, warm } = isFirst ? FIRST : LATER;
  return { base: Math.max(base, residentBytes()), warm };
}

/** What this process is now. */
export const present = (): Before => ({ base: settledBytes(), warm: Engine.hasStarted });

/** The runtime's libraries, as measured. */
const RUNTIME = 35e6;
/** Activations come out somewhat larger than their buffers, and the rest by a fixed amount (docs/performance.md). */
const [ACTIVATION_MARGIN, FIXED_MARGIN] = [0.2, 60e6];

/** Bytes that the process will hold at the peak of a stage, the safety margin included. */
export const peakBytes = (footprint: Footprint, { base, warm }: Before): number =>
  base + totalBytes(footprint) - (warm ? RUNTIME : 0) + ACTIVATION_MARGIN * footprint.activations + FIXED_MARGIN;

/** A plan without a limit. */
export function planFor(stage: PlannedStage, asked: number | undefined, before: Before): MemoryPlan {
  const parts = partsOf(stage.batch, asked);
  const footprint = stage.footprint(parts);
  return { parts, footprint, bytes: peakBytes(footprint, before) };
}

/**
 * The fewest parts, `asked` at least, with which a stage stays under `limit` bytes.
 * @throws UserError if it does not even picture by picture, with what it needs and what would lower that.
 */
export function planUnder(stage: PlannedStage, asked: number | undefined, limit: number, before: Before): MemoryPlan {
  let plan = planFor(stage, asked, before);
  for (const parts of divisors(stage.batch)) {
    if (plan.bytes <= limit) break;
    if (parts > plan.parts) plan = planFor(stage, parts, before);
  }
  if (plan.bytes <= limit) return plan;
  const { state, activations } = plan.footprint;
  const fixed = plan.bytes - state - activations;
  const advice =
    fixed > Math.max(state, activations)
      ? `allow more: the program itself takes about ${sizeText(fixed)} of it`
      : `allow more, or lower ${stage.smaller[state > activations ? 'state' : 'activations']}`;
  throw new UserError(
    `${stage.name}: needs about ${sizeText(plan.bytes)} even one picture at a time, and --memory allows ${sizeText(limit)}: ${advice}`,
  );
}

/** What is said about a plan that differs from what was asked for. */
export const planLine = ({ name, batch }: PlannedStage, { parts, bytes }: MemoryPlan, limit: number): string =>
  `${name}: batch ${batch} in ${parts} parts of ${batch / parts} to stay under ${sizeText(limit)}: about ${sizeText(bytes)}`;

/** From this share of the limit on a stage goes on in more parts, if there are more to be had. */
const NEARLY = 0.97;

/** Watches the process while a stage runs. */
export class MemoryWatch {
  /** What came before is not this stage's doing. */
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
