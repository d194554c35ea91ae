/**
 * A stage before it runs: what is needed to list, plan, estimate, skip and make it. Each stage describes itself in its
 * own folder; listing, planning and training of stages use the descriptions (`training/stages.ts`).
 */

import type { Tree } from '../base/ndarray.ts';
import type { Engine } from '../engine/engine.ts';
import { type Footprint, type PlannedProgram, plannedFootprint } from '../engine/memory/footprint.ts';
import type { Program } from '../graph/index.ts';
import type { Parameter } from '../nn/parameters.ts';
import type { Recipe } from '../recipe/schema.ts';
import type { RunFiles, RunSettings, StageContext } from './context.ts';
import type { Lineage, Stage } from './stage.ts';

/** Work as it can be planned: its batch, and what it needs when that is computed in micro-batches. */
export interface StagePlan {
  /** Its name in messages. */
  readonly name: string;
  readonly batch: number;
  footprint(microBatches: number): Footprint;
  /** The settings that make it smaller, beside its batch, where state or activations are what is large. */
  readonly smaller: { readonly state: string; readonly activations: string };
}

/** A plan from the programs that will be compiled. */
export const planOf = ({
  programs,
  ...plan
}: Omit<StagePlan, 'footprint'> & {
  readonly programs: (microBatches: number) => readonly PlannedProgram[];
}): StagePlan => ({
  ...plan,
  footprint: (microBatches) => plannedFootprint(programs(microBatches)),
});

/** What a stage costs. */
export interface StageCost {
  readonly steps: number;
  readonly batch: number;
  readonly parameters: Tree<Parameter>;
  /** The step that costs most, with its whole batch; its arithmetic is read off the graph. */
  readonly program: Program;
  /** GFLOP/s of whole steps on the reference machine, two cores with AVX2 at `machineSpeed` 1. */
  readonly referenceGflops: number;
  /** What a step takes on that machine for each parameter, beside its arithmetic. */
  readonly secondsPerParameter: number;
}

/** A stage with all that it learns from: ready to be made. */
export interface OpenStage<Report = unknown> {
  /** What all ranks compute together; with local steps what one computes. */
  readonly plan: StagePlan;
  /**
   * The stage on an engine, what is planned computed in so many micro-batches. Nothing is compiled before `prepare`.
   */
  make(engine: Engine, microBatches: number): Stage;
  /** Measure what was trained. */
  report?(): Promise<Report>;
  close?(): Promise<void>;
}

/** Identity of all that a stage is made from, whole and in parts. */
export type StageIdentity = Pick<Stage, 'fingerprint' | 'madeFrom'>;

/** @typeParam Data what the stage may see of the run's pictures. */
export interface StageDescriptor<Data, Report = unknown> {
  /** The name of its model, its checkpoint and its settings. */
  readonly name: string;
  /** The file of the run that keeps its report, where it has one. */
  readonly reportFile?: string;
  /** Whether a run of these settings has this stage. */
  isPartOf(settings: RunSettings): boolean;
  /** Names of the stages whose models it learns with: another one of these makes it another stage. */
  learnsWith(settings: RunSettings): readonly string[];
  /** @throws UserError if the run's settings, or what is trained so far, do not allow it. */
  refuse?(run: RunFiles): void;
  /** Why ranks cannot train it for themselves in between, as a clause; undefined where they can. */
  needsWholeBatch(recipe: Recipe): string | undefined;
  /** Steps in all. */
  stepsOf(recipe: Recipe): number;
  /** Before anything is known but the recipe and the width of the CLIP's embeddings. */
  plan(recipe: Recipe, conditionDim: number): StagePlan;
  cost(recipe: Recipe, conditionDim: number): StageCost;
  /**
   * Identity of all that the stage learns from and of its settings, read off files: no engine runs, and no network is
   * built.
   * @param data identity of what it sees; undefined where that follows from seed and settings.
   */
  fingerprint(run: RunFiles, data: string | undefined): string;
  /** The parts of that identity, without the data that the stage sees. */
  madeFrom(run: RunFiles): Lineage;
  open(context: StageContext, data: Data, identity: StageIdentity): OpenStage<Report>;
}
