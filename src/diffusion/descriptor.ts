/**
 * The diffusion model as stages of a run: its training, and the paper's second stage. Both see codes and CLIP image
 * embeddings only.
 */

import { UserError } from '../base/errors.ts';
import type { NDArray, Tree } from '../base/ndarray.ts';
import { option } from '../base/options.ts';
import { ALONE } from '../mpi/ranks.ts';
import { adopt } from '../nn/parameters.ts';
import { identityOf } from '../recipe/identity.ts';
import type { Recipe } from '../recipe/schema.ts';
import type { RunFiles, RunSettings } from '../stage/context.ts';
import { planOf, type StageDescriptor, type StagePlan } from '../stage/descriptor.ts';
import { fingerprint } from '../stage/fingerprint.ts';
import { settingsParts } from '../stage/made-from.ts';
import { type Origin, originOf } from '../stage/origin.ts';
import type { Latents } from './latents.ts';
import { isValidated } from './learning-rate.ts';
import { scheduleOf, transformerConfig } from './model.ts';
import { gradientProgram, stepPrograms, trainingProgram } from './programs.ts';
import { diffusionStage } from './stage.ts';
import { diffusionParameters } from './transformer.ts';

/** What a diffusion model learns from. */
export interface DenoiserData {
  readonly latents: Latents;
  /** Identity of the pictures and of the models that encoded them. */
  readonly id: string;
  /** Makes the scores that may steer training. Nothing is loaded before the first one. */
  scorer(recipe: Recipe): Scorer;
}

/** Measures a model while it is trained. */
export interface Scorer {
  /** CLIP score of pictures made with these weights. */
  score(weights: Tree<NDArray>): Promise<number>;
  close(): Promise<void>;
}

/**
 * Seconds that an update in place adds for each parameter: those of a measured step at 515 M parameters and batch 1
 * that its arithmetic does not explain (docs/scale.md).
 */
const IN_PLACE_SECONDS = 4e-9;

/** What the two stages differ in. */
interface Variety {
  readonly name: 'diffusion' | 'finetune';
  /** The recipe with the settings of this stage as those of the diffusion model. */
  recipeOf(recipe: Recipe): Recipe;
  isPartOf(settings: RunSettings): boolean;
  readonly learnsWith: readonly string[];
  refuse?(run: RunFiles): void;
  /** The weights that it starts from, if not from random ones. */
  originOf(run: RunFiles): Origin | undefined;
  /** Called after its model was written. */
  afterExport?(run: RunFiles): void;
}

/** @param own the recipe with the settings of the stage as those of the diffusion model. */
function planWith({ name }: Variety, own: Recipe, conditionDim: number): StagePlan {
  const config = transformerConfig(own, conditionDim);
  return planOf({
    name,
    batch: own.diffusion.batch,
    programs: (microBatches) => stepPrograms(config, scheduleOf(own), own.diffusion, microBatches),
    smaller: { state: 'diffusion.layers or diffusion.dim', activations: 'diffusion.layers or diffusion.dim' },
  });
}

function denoiserDescriptor(variety: Variety): StageDescriptor<DenoiserData> {
  const { name, recipeOf, isPartOf, learnsWith, refuse } = variety;
  return {
    name,
    isPartOf,
    learnsWith: () => learnsWith,
    ...(refuse && { refuse }),
    needsWholeBatch: (recipe) =>
      recipeOf(recipe).diffusion.schedule === 'plateau'
        ? `its learning rate goes by the loss of every step (${name}.schedule is plateau)`
        : undefined,
    stepsOf: (recipe) => recipeOf(recipe).diffusion.steps,
    plan: (recipe, conditionDim) => planWith(variety, recipeOf(recipe), conditionDim),
    cost(recipe, conditionDim) {
      const own = recipeOf(recipe);
      const { steps, batch, updateInPlace } = own.diffusion;
      const config = transformerConfig(own, conditionDim);
      return {
        steps,
        batch,
        parameters: diffusionParameters(config),
        program: (updateInPlace ? gradientProgram : trainingProgram)(config, scheduleOf(own), own.diffusion),
        referenceGflops: 84,
        secondsPerParameter: updateInPlace ? IN_PLACE_SECONDS : 0,
      };
    },
    fingerprint(run, latents = '') {
      const { diffusion, tokenizer, imageSize } = recipeOf(run.settings.recipe);
      const settings = `[${identityOf('diffusion', diffusion)},${identityOf('tokenizer', tokenizer)},${imageSize}]`;
      const origin = variety.originOf(run);
      const learnedFrom = origin ? fingerprint(latents, origin.id) : latents;
      return fingerprint('diffusion', settings, `${run.settings.seed}`, learnedFrom);
    },
    madeFrom(run) {
      const { diffusion } = recipeOf(run.settings.recipe);
      const origin = variety.originOf(run);
      const part = name === 'finetune' ? 'diffusion' : 'origin';
      return { ...settingsParts({ ...diffusion }, run.settings.seed), ...(origin && { [part]: origin.id }) };
    },
    open({ run, ranks = ALONE, sync }, { latents, id, scorer }, identity) {
      const { seed } = run.settings;
      const recipe = recipeOf(run.settings.recipe);
      const origin = variety.originOf(run);
      const parameters = diffusionParameters(transformerConfig(recipe, latents.dim));
      const initial = origin && adopt(parameters, origin.read(), origin.file);
      const scores = isValidated(recipe.diffusion) ? scorer(recipe) : undefined;
      const common = { name, recipe, seed, latents, ...identity, initial, ranks, sync };
      const share = { ...recipe.diffusion, batch: recipe.diffusion.batch / ranks.size };
      return {
        plan: planWith(variety, sync ? { ...recipe, diffusion: share } : recipe, latents.dim),
        make: (engine, microBatches) =>
          diffusionStage({
            ...common,
            engine,
            microBatches,
            ...(scores && { validate: (ema) => scores.score(ema) }),
            onExport(params, texts) {
              const before = run.hasModel(name) ? run.stageHash(name) : undefined;
              run.saveModel(name, params, { latents: id, ...texts });
              // The same weights again change nothing for what was made from them.
              if (run.stageHash(name) !== before) variety.afterExport?.(run);
            },
          }),
        close: async () => scores?.close(),
      };
    },
  };
}

/** The diffusion model, from random weights or from those of a model that its run goes on from. */
export const diffusionDescriptor = denoiserDescriptor({
  name: 'diffusion',
  recipeOf: (recipe) => recipe,
  isPartOf: () => true,
  learnsWith: ['clip', 'tokenizer'],
  originOf: (run) => originOf(run, 'diffusion'),
  // The model of the second stage was made from weights that have been replaced.
  afterExport: (run) => run.forgetModel('finetune'),
});

/** The paper's second stage: the diffusion model goes on with settings of its own, and learns what guidance needs. */
export const finetuneDescriptor = denoiserDescriptor({
  name: 'finetune',
  recipeOf: (recipe) => ({ ...recipe, diffusion: { ...recipe.diffusion, ...recipe.finetune } }),
  isPartOf: ({ recipe }) => recipe.finetune.steps > 0,
  learnsWith: ['clip', 'tokenizer', 'diffusion'],
  refuse(run) {
    if (run.settings.recipe.finetune.steps === 0)
      throw new UserError(`The recipe of ${run.path} has no second stage: finetune.steps is 0`);
    if (!run.hasModel('diffusion'))
      throw new UserError(
        `${run.path} holds no trained diffusion model: train it first with ${option('stages', 'diffusion')}`,
      );
  },
  originOf: (run) => ({
    id: run.stageHash('diffusion'),
    file: run.file('diffusion', 'model.safetensors'),
    read: () => run.readModel('diffusion').tensors,
  }),
});
