/** A training step of the tokenizer, whole or in micro-batches, with the same results and gradients; and all programs of the stage. */

import { type NDArray, scalar, type Tree, zeros } from '../base/ndarray.ts';
import type { Executable } from '../engine/engine.ts';
import type { PlannedProgram } from '../engine/memory/footprint.ts';
import { blank } from '../nn/parameters.ts';
import { GRADIENTS, join, microBatch, split } from '../optim/micro-batches.ts';
import type { TokenizerRecipe, TokenizerSettings } from '../recipe/schema.ts';
import {
  addingProgram,
  balanceProgram,
  imageProgram,
  judgeProgram,
  LAST_LAYER,
  lastLayerOf,
  NOW,
  type Part,
  updateProgram,
} from './micro-programs.ts';
import { heldParameters } from './model.ts';
import type { PerceptualDistance } from './perceptual.ts';
import { assignmentProgram, latentProgram, trainingProgram } from './programs.ts';
import { firstQuantizedStep, type Variant, variantName, variantsOf } from './schedule.ts';

type Arrays = Readonly<Record<string, NDArray>>;
/** One training step on the engine's state: takes what the stage draws for a batch, gives what `trainingProgram` does. */
export type TokenizerStep = (feeds: Arrays) => Promise<Arrays>;

/** State that is added up within a step: no checkpoint needs it. */
export const ADDED_UP: readonly string[] = [GRADIENTS, NOW, LAST_LAYER];

/** What `ADDED_UP` starts from. */
export function zeroSums(recipe: TokenizerRecipe): { readonly [path: string]: Tree<NDArray> } {
  return {
    [GRADIENTS]: blank(heldParameters(recipe)),
    [NOW]: zeros([recipe.tokenizer.codes]),
    [LAST_LAYER]: blank(lastLayerOf(recipe)),
  };
}

/** The programs of one variant, in the order in which a step runs them; a batch in one part is one program. */
export function stepPrograms(
  recipe: TokenizerRecipe,
  variant: Variant,
  perceptual: PerceptualDistance | undefined,
  parts: number,
): PlannedProgram[] {
  const name = variantName(variant);
  if (parts === 1) return [{ name, write: () => trainingProgram(recipe, variant, perceptual), phase: name }];
  // Of several programs each would keep memory that it can have from the one before.
  const arena = false;
  const batch = microBatch(recipe.tokenizer.batch, parts);
  const part: Part = { recipe: { ...recipe, tokenizer: { ...recipe.tokenizer, batch } }, variant, perceptual, parts };
  // Sums are written over what they add to; each is read before that.
  const summing = { inPlace: true, arena, fuse: false };
  const { phase, adversary } = variant;
  const counts = adversary === 'counting';
  return [
    ...(counts
      ? [
          { name: `pictures ${phase}`, write: () => imageProgram(part), arena },
          { name: 'discriminator counting', write: () => judgeProgram(recipe, true), arena },
          { name: `balance ${name}`, write: () => balanceProgram(part), ...summing },
        ]
      : []),
    { name: `gradients ${name}`, write: () => addingProgram(part), ...summing },
    ...(adversary === 'learning' ? [{ name: 'discriminator', write: () => judgeProgram(recipe, false), arena }] : []),
    { name: 'update', write: () => updateProgram(recipe), inPlace: true },
  ];
}

/** The settings as far as they can be followed: without weights there is no perceptual distance. */
export const followed = (settings: TokenizerSettings, perceptual: PerceptualDistance | undefined): TokenizerSettings =>
  perceptual ? settings : { ...settings, perceptualWeight: 0 };

/** The names of programs that do not train. */
export const [LATENTS, ASSIGNMENT] = ['latents', 'assignment'] as const;

/** All programs of the stage, each once; those that do not train see a micro-batch at a time too. */
export function stagePrograms(
  recipe: TokenizerRecipe,
  perceptual: PerceptualDistance | undefined,
  parts: number,
): PlannedProgram[] {
  const { tokenizer: settings } = recipe;
  const part = { ...recipe, tokenizer: { ...settings, batch: microBatch(settings.batch, parts) } };
  const all = variantsOf(followed(settings, perceptual)).flatMap((variant) =>
    stepPrograms(recipe, variant, perceptual, parts),
  );
  if (firstQuantizedStep(settings) > 0) all.push({ name: LATENTS, write: () => latentProgram(part), arena: false });
  if (settings.reviveAfter > 0) all.push({ name: ASSIGNMENT, write: () => assignmentProgram(part), arena: false });
  return [...new Map(all.map((program) => [program.name, program])).values()];
}

/** The step of a variant out of `stepPrograms`, compiled, in their order. */
export function stepOf(variant: Variant, parts: number, programs: readonly Executable[]): TokenizerStep {
  if (parts === 1) return (feeds) => programs[0]!.run(feeds);
  const counts = variant.adversary === 'counting';
  const [image, verdict, balance] = counts ? programs : [];
  const [gradients, judge] = programs.slice(counts ? 3 : 0, -1);
  const update = programs.at(-1)!;

  return async ({ lr, ...batch }) => {
    const feeds = split(batch, parts);
    const summed = async (program: Executable, extra: (part: number) => Arrays) => {
      const results: Arrays[] = [];
      for (const [i, part] of feeds.entries())
        results.push(await program.run({ ...part, keep: scalar(i === 0 ? 0 : 1), ...extra(i) }));
      return results;
    };
    const judged = async (program: Executable, images: readonly NDArray[]) =>
      program.run({ x: batch.x!, image: join(images), lr: lr! });

    let told: Arrays = {};
    let pulls: Arrays[] = [];
    if (image && verdict && balance) {
      const images: NDArray[] = [];
      for (const part of feeds) images.push((await image.run(part)).image!);
      const { pull, ...rest } = await judged(verdict, images);
      pulls = split({ pull: pull! }, parts);
      const { adaptive } = (await summed(balance, (i) => pulls[i]!)).at(-1)!;
      told = { ...rest, adaptive: adaptive! };
    }
    const last = (i: number) => scalar(i === parts - 1 ? 1 : 0);
    const weight = told.adaptive && { adaptive: told.adaptive };
    const results = await summed(gradients!, (i) => ({ last: last(i), ...pulls[i], ...weight }));
    if (variant.adversary === 'learning')
      told = await judged(
        judge!,
        results.map((result) => result.image!),
      );
    await update.run({ lr: lr! });
    return whole(results, told);
  };
}

/** What the whole batch would have reported. */
function whole(results: readonly Arrays[], { adversarial, ...told }: Arrays): Arrays {
  const mean = (name: string) => results.reduce((sum, result) => sum + result[name]!.data[0]!, 0) / results.length;
  const { shares, perceptual } = results.at(-1)!;
  const game = adversarial ? adversarial.data[0]! * told.adaptive!.data[0]! : 0;
  return {
    loss: scalar(mean('loss') + game),
    squared: scalar(mean('squared')),
    ...(perceptual && { perceptual: scalar(mean('perceptual')) }),
    ...(shares && { shares }),
    ...told,
  };
}
