/** The tokenizer as a stage of a run: it sees pixels and nothing else. */

import type { PictureReader } from '../data/cache/reader.ts';
import { adopt, blank } from '../nn/parameters.ts';
import { identityOf } from '../recipe/identity.ts';
import type { TokenizerRecipe } from '../recipe/schema.ts';
import type { RunFiles } from '../stage/context.ts';
import { planOf, type StageDescriptor, type StagePlan } from '../stage/descriptor.ts';
import { fingerprint } from '../stage/fingerprint.ts';
import { settingsParts } from '../stage/made-from.ts';
import { type Origin, originOf } from '../stage/origin.ts';
import { plannedEncoder } from './codec.ts';
import { discriminatorFrom } from './discriminator.ts';
import { saveDiscriminator } from './discriminator-file.ts';
import { lpipsParameters } from './lpips.ts';
import { tokenizerParameters, trainedParameters } from './model.ts';
import { lpipsDistance, type PerceptualDistance } from './perceptual.ts';
import { trainingProgram } from './programs.ts';
import { compactClipDistance, lpipsOf, usesCompactClip } from './run-perceptual.ts';
import { variantAt } from './schedule.ts';
import { tokenizerStage } from './stage.ts';
import { stagePrograms } from './step.ts';

const SMALLER = { state: 'tokenizer.channels', activations: 'tokenizer.channels or imageSize' };

/** LPIPS of the right shapes. Features of a CLIP are cheap beside it, and not known before there is one. */
function blankLpips({ tokenizer }: TokenizerRecipe): PerceptualDistance | undefined {
  const { perceptualNet: net, perceptualWeight } = tokenizer;
  if (perceptualWeight === 0 || net === 'clip') return undefined;
  return lpipsDistance({ net, params: blank(lpipsParameters(net)), id: '' });
}

/** The stage with its perceptual distance, or with weights of zeros in its place. */
const planWith = (recipe: TokenizerRecipe, perceptual = blankLpips(recipe)): StagePlan =>
  planOf({
    name: 'tokenizer',
    batch: recipe.tokenizer.batch,
    programs: (microBatches) => stagePrograms(recipe, perceptual, microBatches),
    smaller: SMALLER,
  });

/** Encoding pictures with the trained tokenizer, `batch` of them at a time. */
export function encodingPlan(recipe: TokenizerRecipe, batch: number): StagePlan {
  const params = blank(trainedParameters(recipe));
  return planOf({
    name: 'encoding',
    batch,
    programs: (microBatches) => [plannedEncoder(params, recipe, batch / microBatches)],
    smaller: SMALLER,
  });
}

/** The weights that a run's tokenizer and its discriminator start from, where there are any. */
function originsOf(run: RunFiles): {
  readonly tokenizer?: Origin | undefined;
  readonly discriminator?: Origin | undefined;
} {
  const { discriminatorWeight } = run.settings.recipe.tokenizer;
  return {
    tokenizer: originOf(run, 'tokenizer'),
    discriminator: discriminatorWeight > 0 ? originOf(run, 'discriminator') : undefined,
  };
}

/** The tokenizer's stage, for the list of stages. */
export const tokenizerDescriptor: StageDescriptor<PictureReader> = {
  name: 'tokenizer',
  isPartOf: () => true,
  learnsWith: ({ recipe }) => (usesCompactClip(recipe) ? ['clip'] : []),
  needsWholeBatch: () => 'its codebook goes by the codes of whole batches',
  stepsOf: ({ tokenizer }) => tokenizer.steps,
  plan: (recipe) => planWith(recipe),
  cost(recipe) {
    const { tokenizer, imageSize } = recipe;
    return {
      steps: tokenizer.steps,
      batch: tokenizer.batch,
      parameters: tokenizerParameters(tokenizer, imageSize),
      program: trainingProgram(recipe, variantAt(tokenizer, tokenizer.steps - 1), blankLpips(recipe)),
      // Its narrow convolutions are far from the speed of large matrix products.
      referenceGflops: 26,
      secondsPerParameter: 0,
    };
  },
  fingerprint(run, pictures = '') {
    const { recipe, seed } = run.settings;
    const settings = `[${identityOf('tokenizer', recipe.tokenizer)},${recipe.imageSize}]`;
    const { tokenizer, discriminator } = originsOf(run);
    const origins = [tokenizer, discriminator].flatMap((one) => (one ? [one.id] : []));
    const distance = compactClipDistance(run)?.id ?? '';
    return fingerprint('tokenizer', settings, `${seed}`, pictures, distance, ...origins);
  },
  madeFrom(run) {
    const { recipe, seed } = run.settings;
    const { tokenizer, discriminator } = originsOf(run);
    const origins = [tokenizer, discriminator].flatMap((one) => (one ? [one.id] : []));
    const perceptual = compactClipDistance(run)?.id;
    return {
      ...settingsParts({ ...recipe.tokenizer }, seed, recipe.imageSize),
      ...(perceptual !== undefined && { perceptual }),
      ...(origins.length > 0 && { origin: origins.join() }),
    };
  },
  open(context, pictures, identity) {
    const { run } = context;
    const { recipe, seed } = run.settings;
    const distance = compactClipDistance(run);
    const { tokenizer: origin, discriminator: adversary } = originsOf(run);
    const parameters = tokenizerParameters(recipe.tokenizer, recipe.imageSize);
    const common = {
      recipe,
      seed,
      pictures,
      ...identity,
      initial: origin && adopt(parameters, origin.read(), origin.file),
      initialDiscriminator: adversary && discriminatorFrom(adversary.read(), recipe.tokenizer, adversary.file),
      loadPerceptual: async () => distance ?? lpipsOf(context),
    };
    return {
      plan: planWith(recipe, distance),
      make: (engine, microBatches) =>
        tokenizerStage({
          ...common,
          engine,
          microBatches,
          ranks: context.ranks,
          onExport(params, texts, discriminator) {
            run.saveModel('tokenizer', params, texts);
            if (discriminator) saveDiscriminator(run, discriminator);
          },
        }),
    };
  },
};
