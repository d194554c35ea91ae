/**
 * The tokenizer stage: a plain autoencoder first, then codes from its latents, then the Gumbel quantizer with a falling
 * temperature.
 */

import { UserError } from '../base/errors.ts';
import { float32, int32, type NDArray, scalar, type Tree } from '../base/ndarray.ts';
import { option } from '../base/options.ts';
import type { PictureReader } from '../data/cache/reader.ts';
import type { Engine } from '../engine/engine.ts';
import { ALONE, type Ranks } from '../mpi/ranks.ts';
import { fromEngineLayout, toEngineLayout } from '../nn/kernel-layout.ts';
import { initialize } from '../nn/parameters.ts';
import { adamState } from '../optim/adamw.ts';
import { microBatchSize } from '../optim/micro-batches.ts';
import type { TokenizerRecipe, TokenizerSettings } from '../recipe/schema.ts';
import { ownSamples } from '../stage/data-parallel.ts';
import type { Lineage, Stage } from '../stage/stage.ts';
import { reviveCodes, seedCodebook, type Training } from './codebook-state.ts';
import { discriminatorBuffers, discriminatorParameters, type TrainedDiscriminator } from './discriminator.ts';
import { TokenizerFeeds } from './feeds.ts';
import { metricsOf } from './metrics.ts';
import { tokenizerParameters } from './model.ts';
import type { PerceptualDistance } from './perceptual.ts';
import { firstQuantizedStep, rateAt, variantAt } from './schedule.ts';
import { TokenizerPrograms } from './stage-programs.ts';
import { ADDED_UP, effectiveSettings, zeroSums } from './step.ts';

/** What the tokenizer stage is made from. */
export interface TokenizerStageOptions {
  readonly engine: Engine;
  readonly recipe: TokenizerRecipe;
  readonly seed: number;
  /** Pictures of imageSize and nothing else. */
  readonly pictures: PictureReader;
  readonly fingerprint: string;
  readonly madeFrom?: Lineage | undefined;
  /**
   * Micro-batches that a batch is computed in, to save memory; by default 1. Results are those of the whole batch, up
   * to rounding.
   */
  readonly microBatches?: number | undefined;
  /** The processes that share each batch; `microBatches` are those of all of them. */
  readonly ranks?: Ranks | undefined;
  /** Weights to start from; by default random ones. */
  readonly initial?: Tree<NDArray> | undefined;
  readonly initialDiscriminator?: TrainedDiscriminator | undefined;
  /** Opens the perceptual distance, if the recipe has one; without weights for it the loss has no such term. */
  readonly loadPerceptual?: (() => Promise<PerceptualDistance | undefined>) | undefined;
  /**
   * Receives the parameters when the stage is done, what goes into their metadata, and the discriminator if there is
   * one.
   */
  readonly onExport: (
    params: Tree<NDArray>,
    texts: Lineage,
    discriminator?: TrainedDiscriminator,
  ) => Promise<void> | void;
}

/**
 * The stage that trains the tokenizer on pictures alone.
 * @throws UserError if the batch does not divide into the micro-batches.
 */
export function tokenizerStage(options: TokenizerStageOptions): Stage {
  const { engine, recipe, seed, microBatches = 1, ranks = ALONE } = options;
  const { tokenizer: settings } = recipe;
  microBatchSize(settings.batch, microBatches);
  const feeds = new TokenizerFeeds(recipe, seed, options.pictures, ownSamples(ranks, settings.batch));
  const programs = new TokenizerPrograms(engine, recipe, microBatches, ranks);
  const training: Training = { engine, recipe, seed, feeds, programs, ranks };
  let perceptual: PerceptualDistance | undefined;
  const weights = async () =>
    fromEngineLayout(await engine.read('params'), tokenizerParameters(settings, recipe.imageSize));

  return {
    name: 'tokenizer',
    steps: settings.steps,
    batch: settings.batch,
    fingerprint: options.fingerprint,
    madeFrom: options.madeFrom,
    transient: ADDED_UP,

    async prepare() {
      if (settings.perceptualWeight > 0) perceptual = await options.loadPerceptual?.();
      await programs.prepare(perceptual);
      await engine.load(initialState(recipe, seed, options.initial, options.initialDiscriminator));
      if (microBatches > 1) await engine.load(zeroSums(recipe));
    },

    skip: (step) => changeCodebook(training, step),

    async run(step, rate = 1) {
      await changeCodebook(training, step);
      const train = await programs.stepOf(variantAt(effectiveSettings(settings, perceptual), step), perceptual);
      const drawn = await engine.span('data wait', () => feeds.of(step));
      const results = train(rate === 1 ? drawn : { ...drawn, lr: scalar(rate * rateAt(settings, step)) });
      feeds.prepare(step + 1);
      return metricsOf(await results);
    },

    learningRate: (step) => rateAt(settings, step),

    waited: () => feeds.waited,

    hostState: () => (settings.perceptualWeight > 0 ? { lpips: identity(perceptual) } : {}),
    restore({ lpips }) {
      if (lpips && !isSame(lpips, perceptual)) perceptual = undefined;
    },

    weights,

    async export(texts = {}) {
      await options.onExport(
        await weights(),
        texts,
        settings.discriminatorWeight > 0 ? await discriminatorOf(engine) : undefined,
      );
    },
  };
}

/** The discriminator as the engine's state holds it. */
async function discriminatorOf(engine: Engine): Promise<TrainedDiscriminator> {
  const params = (await engine.read('discriminator.params')) as TrainedDiscriminator['params'];
  const buffers = (await engine.read('discriminator.buffers')) as TrainedDiscriminator['buffers'];
  return { params, buffers };
}

/** What is done to the codebook before a step, if anything. */
async function changeCodebook(training: Training, step: number): Promise<void> {
  const { tokenizer: settings } = training.recipe;
  const first = firstQuantizedStep(settings);
  if (step > 0 && step === first) await seedCodebook(training);
  const { reviveAfter } = settings;
  if (reviveAfter > 0 && step > first && step % reviveAfter === 0) await reviveCodes(training, step);
}

/** The state at step 0: what the recipe does not use is not there. */
function initialState(
  { imageSize, tokenizer: settings }: TokenizerRecipe,
  seed: number,
  initial: Tree<NDArray> = initialize(tokenizerParameters(settings, imageSize), seed),
  discriminator?: TrainedDiscriminator,
): { readonly [key: string]: Tree<NDArray> } {
  const { codes, reviveAfter, discriminatorWeight } = settings;
  const params = toEngineLayout(initial);
  const state = { params, adam: adamState(params), usage: float32(new Float32Array(codes).fill(1 / codes), [codes]) };
  const idle = { idle: float32(new Float32Array(codes), [codes]) };
  return {
    ...state,
    ...(reviveAfter > 0 && idle),
    ...(discriminatorWeight > 0 && { discriminator: initialDiscriminator(settings, seed, discriminator) }),
  };
}

/** A discriminator that has been trained, or one of random weights, as it is before its first step. */
function initialDiscriminator(
  settings: TokenizerSettings,
  seed: number,
  trained: TrainedDiscriminator | undefined,
): { readonly [key: string]: Tree<NDArray> } {
  const params = trained?.params ?? initialize(discriminatorParameters(settings), seed);
  const buffers = trained?.buffers ?? initialize(discriminatorBuffers(settings), seed);
  return { params, adam: adamState(params), buffers };
}

/** The SHA-256 of the weights of a distance as int32 [8], zeros for none. */
const identity = (distance: PerceptualDistance | undefined): NDArray<'int32'> =>
  int32(
    Array.from({ length: 8 }, (_, i) => (distance ? Number.parseInt(distance.id.slice(8 * i, 8 * i + 8), 16) | 0 : 0)),
    [8],
  );

/**
 * Whether a run goes on with the perceptual distance that it began with; one that began without weights goes on without
 * them.
 * @throws UserError if it began with weights that are not there now.
 */
function isSame(saved: NDArray, now: PerceptualDistance | undefined): boolean {
  if (saved.data.join() === identity(now).data.join()) return true;
  if (saved.data.some((word) => word !== 0))
    throw new UserError(
      `The tokenizer has been learning with a perceptual distance whose weights are not there now: name their folder with ${option('lpips')}`,
    );
  return false;
}
