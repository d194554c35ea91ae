/**
 * A training step of the tokenizer, whole or in micro-batches, with the same results and gradients; and all programs of
 * the stage.
 */

import { type NDArray, scalar, type Tree, zeros } from '../base/ndarray.ts';
import type { Executable } from '../engine/engine.ts';
import type { PlannedProgram } from '../engine/memory/footprint.ts';
import { blank } from '../nn/parameters.ts';
import { GRADIENTS, join, microBatchSize, split } from '../optim/micro-batches.ts';
import type { TokenizerRecipe, TokenizerSettings } from '../recipe/schema.ts';
import { accumulate, runEach } from '../stage/accumulate.ts';
import {
  addingProgram,
  balanceProgram,
  discriminatorProgram,
  imageProgram,
  LAST_LAYER,
  lastLayerOf,
  type MicroBatch,
  SHARES,
  updateProgram,
  usageProgram,
} from './micro-programs.ts';
import { trainedParameters } from './model.ts';
import type { PerceptualDistance } from './perceptual.ts';
import { assignmentProgram, latentProgram, trainingProgram } from './programs.ts';
import { firstQuantizedStep, type Variant, variantName, variantsOf } from './schedule.ts';

/** Arrays by name. */
export type Arrays = Readonly<Record<string, NDArray>>;
/**
 * One training step on the engine's state: takes what the stage draws for a batch, gives what `trainingProgram` does.
 */
export type TokenizerStep = (feeds: Arrays) => Promise<Arrays>;

/** State that is added up within a step: no checkpoint needs it. */
export const ADDED_UP: readonly string[] = [GRADIENTS, SHARES, LAST_LAYER];

/** What `ADDED_UP` starts from. */
export function zeroSums(recipe: TokenizerRecipe): { readonly [path: string]: Tree<NDArray> } {
  return {
    [GRADIENTS]: blank(trainedParameters(recipe)),
    [SHARES]: zeros([recipe.tokenizer.codes]),
    [LAST_LAYER]: blank(lastLayerOf(recipe)),
  };
}

/**
 * The programs of one variant, in the order in which a step runs them: a single one where there is one micro-batch.
 * With several `ranks` the histories of codes are moved by a program of their own, once the shares of all ranks are in.
 */
export function stepPrograms(
  recipe: TokenizerRecipe,
  variant: Variant,
  perceptual: PerceptualDistance | undefined,
  microBatches: number,
  ranks = 1,
): PlannedProgram[] {
  const name = variantName(variant);
  if (microBatches === 1) return [{ name, write: () => trainingProgram(recipe, variant, perceptual), phase: name }];
  // Of several programs each would keep memory that it can have from the one before.
  const arena = false;
  const one: MicroBatch = { recipe: ofMicroBatch(recipe, microBatches), variant, perceptual, microBatches };
  // Sums are written over what they add to; each is read before that.
  const summing = { inPlace: true, arena, fuse: false };
  const { phase, discriminator } = variant;
  return [
    ...(discriminator === 'active'
      ? [
          { name: `pictures ${phase}`, write: () => imageProgram(one), arena },
          { name: 'discriminator active', write: () => discriminatorProgram(recipe, true, ranks), arena },
          { name: `balance ${name}`, write: () => balanceProgram(one), ...summing },
        ]
      : []),
    { name: `gradients ${name}`, write: () => addingProgram(one), ...summing },
    ...(discriminator === 'warmup'
      ? [{ name: 'discriminator warmup', write: () => discriminatorProgram(recipe, false, ranks), arena }]
      : []),
    ...(ranks > 1 && phase !== 'autoencoder'
      ? [{ name: 'code usage', write: () => usageProgram(recipe, variant), inPlace: true, fuse: false }]
      : []),
    { name: 'update', write: () => updateProgram(recipe), inPlace: true },
  ];
}

const ofMicroBatch = (recipe: TokenizerRecipe, microBatches: number): TokenizerRecipe => ({
  ...recipe,
  tokenizer: { ...recipe.tokenizer, batch: microBatchSize(recipe.tokenizer.batch, microBatches) },
});

/** The settings that take effect: without weights there is no perceptual distance. */
export const effectiveSettings = (
  settings: TokenizerSettings,
  perceptual: PerceptualDistance | undefined,
): TokenizerSettings => (perceptual ? settings : { ...settings, perceptualWeight: 0 });

/** The names of programs that do not train. */
export const [LATENTS, ASSIGNMENT] = ['latents', 'assignment'] as const;

/** All programs of the stage, each once; those that do not train compute a micro-batch at a time, too. */
export function stagePrograms(
  recipe: TokenizerRecipe,
  perceptual: PerceptualDistance | undefined,
  microBatches: number,
  ranks = 1,
): PlannedProgram[] {
  const { tokenizer: settings } = recipe;
  const one = ofMicroBatch(recipe, microBatches);
  const all = variantsOf(effectiveSettings(settings, perceptual)).flatMap((variant) =>
    stepPrograms(recipe, variant, perceptual, microBatches, ranks),
  );
  if (firstQuantizedStep(settings) > 0) all.push({ name: LATENTS, write: () => latentProgram(one), arena: false });
  if (settings.reviveAfter > 0) all.push({ name: ASSIGNMENT, write: () => assignmentProgram(one), arena: false });
  return [...new Map(all.map((program) => [program.name, program])).values()];
}

/** The step of a variant out of `stepPrograms`, compiled, in their order. */
export function stepOf(variant: Variant, microBatches: number, programs: readonly Executable[]): TokenizerStep {
  if (microBatches === 1) return (feeds) => programs[0]!.run(feeds);
  const isActive = variant.discriminator === 'active';
  const [image, activeDiscriminator, balance] = isActive ? programs : [];
  const [gradients, discriminator] = programs.slice(isActive ? 3 : 0, -1);
  const update = programs.at(-1)!;

  return async ({ lr, ...batch }) => {
    const feeds = split(batch, microBatches);
    const discriminated = async (program: Executable, images: readonly NDArray[]) =>
      program.run({ x: batch.x!, image: join(images), lr: lr! });

    let reported: Arrays = {};
    let imageGradients: Arrays[] = [];
    if (image && activeDiscriminator && balance) {
      const { toImage, ...rest } = await discriminated(activeDiscriminator, await imagesOf(image, feeds));
      imageGradients = split({ toImage: toImage! }, microBatches);
      const { adaptive } = (await accumulate(balance, feeds, (i) => imageGradients[i]!)).at(-1)!;
      reported = { ...rest, adaptive: adaptive! };
    }
    const last = (i: number) => scalar(i === microBatches - 1 ? 1 : 0);
    const weight = reported.adaptive && { adaptive: reported.adaptive };
    const results = await accumulate(gradients!, feeds, (i) => ({ last: last(i), ...imageGradients[i], ...weight }));
    if (variant.discriminator === 'warmup')
      reported = await discriminated(
        discriminator!,
        results.map((result) => result.image!),
      );
    await update.run({ lr: lr! });
    return whole(results, reported);
  };
}

/** x̂ of each micro-batch, by `imageProgram`. */
export async function imagesOf(program: Executable, feeds: readonly Arrays[]): Promise<NDArray[]> {
  return (await runEach(program, feeds)).map(({ image }) => image!);
}

/** What the whole batch would have reported. */
export function whole(results: readonly Arrays[], { adversarial, ...reported }: Arrays): Arrays {
  const mean = (name: string) => results.reduce((sum, result) => sum + result[name]!.data[0]!, 0) / results.length;
  const { norm, shares, perceptual } = results.at(-1)!;
  const game = adversarial ? adversarial.data[0]! * reported.adaptive!.data[0]! : 0;
  return {
    loss: scalar(mean('loss') + game),
    norm: norm!,
    squared: scalar(mean('squared')),
    ...(perceptual && { perceptual: scalar(mean('perceptual')) }),
    ...(shares && { shares }),
    ...reported,
  };
}
