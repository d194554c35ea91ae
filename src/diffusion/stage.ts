/**
 * The diffusion stage: learns codes given CLIP image embeddings, with the condition dropped now and then for guidance.
 * It can go on from a model that was trained before, as the stage `finetune`, the paper's second one, always does.
 */

import { type NDArray, scalar, type Tree } from '../base/ndarray.ts';
import { flatten } from '../base/tree.ts';
import type { Engine } from '../engine/engine.ts';
import { ALONE, type Ranks, shared } from '../mpi/ranks.ts';
import { initializeEach } from '../nn/parameters.ts';
import { GRADIENTS } from '../optim/micro-batches.ts';
import { Shuffle } from '../random/shuffle.ts';
import type { DiffusionSettings } from '../recipe/schema.ts';
import { ownSamples } from '../stage/data-parallel.ts';
import type { LocalSteps } from '../stage/local-steps.ts';
import type { Lineage, Metrics, Stage } from '../stage/stage.ts';
import { drawBatch } from './batch.ts';
import { HostState } from './host-state.ts';
import type { Latents } from './latents.ts';
import { type DiffusionRecipe, scheduleOf, transformerConfig } from './model.ts';
import { compileTraining, loadTraining, readTraining, type TrainingStep } from './programs.ts';
import { diffusionParameters } from './transformer.ts';

/** What the diffusion stage is made from. */
export interface DiffusionStageOptions {
  readonly engine: Engine;
  readonly recipe: DiffusionRecipe;
  readonly seed: number;
  readonly latents: Latents;
  readonly fingerprint: string;
  readonly madeFrom?: Lineage | undefined;
  readonly name: 'diffusion' | 'finetune';
  /**
   * Micro-batches that a batch is computed in, to save memory; by default 1. Results are those of the whole batch, up
   * to rounding.
   */
  readonly microBatches?: number | undefined;
  /** The processes that share each batch; `microBatches` are those of all of them. */
  readonly ranks?: Ranks | undefined;
  /** Ranks train for themselves in between; `microBatches` are those of this one then. */
  readonly sync?: LocalSteps | undefined;
  /** Weights to go on from; by default random ones. */
  readonly initial?: Tree<NDArray> | undefined;
  /** CLIP score of what the averaged weights make. Needed where it steers the learning rate. */
  readonly validate?: ((ema: Tree<NDArray>) => Promise<number>) | undefined;
  /** Receives the averaged parameters when the stage is done, and what goes into their metadata. */
  readonly onExport: (params: Tree<NDArray>, texts: Lineage) => Promise<void> | void;
}

/** The diffusion stage. Nothing is compiled before `prepare`. */
export function diffusionStage(options: DiffusionStageOptions): Stage {
  const { engine, name, recipe, seed, latents, ranks = ALONE, sync, validate } = options;
  const settings = recipe.diffusion;
  const config = transformerConfig(recipe, latents.dim);
  const schedule = scheduleOf(recipe);
  const shuffle = new Shuffle(seed, `${name}/order`, latents.size);
  const weights = () => readTraining(engine, config, 'ema');
  const share = ownSamples(ranks, settings.batch);
  // One rank measures for all.
  const scored =
    validate && (async () => shared(ranks, ranks.rank === 0 ? await validate(await weights()) : undefined));
  const host = new HostState({ settings, engine, ranks, count: share.count, sync, validate: scored });
  /** What the program of a step computes, and with whom. */
  const [trained, others] = sync ? [{ ...settings, batch: share.count }, ALONE] : [settings, ranks];
  let train: TrainingStep | undefined;

  return {
    name,
    steps: settings.steps,
    batch: settings.batch,
    fingerprint: options.fingerprint,
    madeFrom: options.madeFrom,
    transient: [GRADIENTS],

    async prepare() {
      train ??= await compileTraining(engine, config, schedule, trained, options.microBatches, others);
      const { initial } = options;
      await loadTraining(
        engine,
        initial ? Object.entries(flatten(initial)) : initializeEach(diffusionParameters(config), seed),
        options.microBatches,
      );
      host.begin();
    },

    async run(step, slowed = 1) {
      const lr = slowed * host.rate.at(step);
      await host.part();
      const source = { name, latents, shuffle, schedule, settings, seed, times: host.times, own: share };
      const { feeds, all } = await engine.span('data wait', async () => drawBatch(step, source));
      const out = await train!({ ...feeds, lr: scalar(lr), emaDecay: scalar(emaDecay(settings, step)) });
      host.learn(all, out.kl!.data as Float32Array);
      const metrics: Metrics = {
        loss: out.loss!.data[0]!,
        crossEntropy: out.crossEntropy!.data[0]!,
        gradientNorm: out.norm!.data[0]!,
        ...(settings.schedule === 'plateau' && { learningRate: lr }),
      };
      return { ...metrics, ...(await host.rate.after(step, metrics.loss)) };
    },

    learningRate: (step) => host.rate.at(step),
    meet: () => host.meet(),
    hostState: () => host.save(),
    restore: (saved) => host.restore(saved),
    weights,

    async export(texts = {}) {
      await options.onExport(await weights(), texts);
    },
  };
}

/**
 * The decay of this step: 1 between updates. With `emaWarmup` the average starts short, so that early weights are
 * forgotten.
 */
export function emaDecay(
  { emaDecay, emaEvery, emaWarmup }: Pick<DiffusionSettings, 'emaDecay' | 'emaEvery' | 'emaWarmup'>,
  step: number,
): number {
  if ((step + 1) % emaEvery !== 0) return 1;
  const updates = (step + 1) / emaEvery;
  return emaWarmup ? Math.min(emaDecay, (1 + updates) / (10 + updates)) : emaDecay;
}
