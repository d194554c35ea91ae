/** The options of a generator, checked before any work. */

import { UserError } from '../base/errors.ts';
import type { RgbImage } from '../data/pictures/image.ts';
import { isGuided } from '../diffusion/guidance.ts';
import { refuseUnused } from '../diffusion/samplers/index.ts';
import type { Sampler } from '../diffusion/samplers/sampler.ts';
import { checkSampling } from '../recipe/recipe.ts';
import { refuseSteps } from '../recipe/rules.ts';
import { gridSize, type Recipe, type SamplingSettings } from '../recipe/schema.ts';
import { type Condition, checkCondition, nameOf } from './conditions.ts';
import { shown } from './shown.ts';
import { checkStrength, redrawnCodes, type StartPicture } from './start.ts';

/** How pictures are drawn: the sampling settings of a recipe, but for those that belong to the model. */
export type SamplingChoice = Omit<SamplingSettings, 'promptPrefix' | 'nullEmbedding'>;

/** Sampling settings; those that are left out are those of the model's recipe. */
export type SamplingOptions = { readonly [K in keyof SamplingChoice]?: SamplingChoice[K] | undefined };

/** How pictures are made: how many, from which seeds, by which sampling settings. */
export interface GenerateOptions extends SamplingOptions {
  /** Pictures a prompt; 1 by default. */
  readonly count?: number | undefined;
  /**
   * Seed of a prompt's first picture, or of each prompt's; picture i has seed + i. The same seed, prompt and settings
   * give the same picture.
   */
  readonly seed?: number | readonly number[] | undefined;
  /**
   * A text that pictures are guided away from: it takes the place of the null condition. Where the recipe draws without
   * guidance, the guidance scale is 2 by default.
   */
  readonly negative?: string | undefined;
  /**
   * Draw so many candidates for each picture and keep the one that its prompt fits best, by the CLIP that conditions; 1
   * by default. Picture i has the best of the seeds from seed + i · bestOf on. A score after choosing measures the
   * choice, too: each picture brings the mean of its candidates.
   */
  readonly bestOf?: number | undefined;
  /** A picture to go on from: a variation of it, or, with a mask, a repainting. */
  readonly start?: StartPicture | undefined;
  /** Draws the codes in the place of the sampler that the settings name. */
  readonly customSampler?: Sampler | undefined;
  /** Checked before every sampling step. */
  readonly signal?: AbortSignal | undefined;
  /** Called after every sampling step with the steps done and their total, over all batches. */
  readonly onProgress?: ((done: number, total: number) => void) | undefined;
}

/** A picture that is wanted: the index of its prompt, and its seed. */
export interface Wanted {
  readonly prompt: number;
  readonly seed: number;
}

/** A picture to go on from, checked. */
export interface RequestedStart {
  readonly picture: RgbImage;
  readonly strength: number;
  /** 1 where a code may be drawn anew, [tokens]. */
  readonly redraw: Uint8Array | undefined;
}

/** What is to be drawn, and how. */
export interface Request {
  readonly conditions: readonly Condition[];
  /** The conditions in words. */
  readonly prompts: readonly string[];
  readonly negative: string | undefined;
  readonly start: RequestedStart | undefined;
  /** Candidates for each picture that is kept. */
  readonly bestOf: number;
  /** Pictures to draw, prompts · count · bestOf; the candidates of one picture follow each other. */
  readonly total: number;
  /** Those from `start` on, prompt by prompt, `most` of them or as many as are left. */
  readonly batch: (start: number, most: number) => readonly Wanted[];
  readonly settings: SamplingChoice;
}

const LARGEST_SEED = Number.MAX_SAFE_INTEGER;
const OWN_OPTIONS = ['count', 'seed', 'negative', 'start', 'customSampler', 'signal', 'onProgress'];

/**
 * Prompts and options as a request, with the recipe's settings for those that are left out.
 * @param further names of options that are allowed beside those of `GenerateOptions`.
 * @throws UserError if a prompt is empty or no text, an option is unknown, out of its range, or none of the sampler's.
 */
export function requestOf(
  prompts: Condition | readonly Condition[],
  options: GenerateOptions,
  recipe: Recipe,
  further: readonly string[] = [],
): Request {
  const conditions = conditionsOf(prompts);
  const texts = conditions.map(nameOf);
  const { promptPrefix, nullEmbedding, ...defaults } = recipe.sampling;
  checkNames(options, [...OWN_OPTIONS, ...further, ...Object.keys(defaults)]);
  const { count = 1, seed = 0, bestOf = 1 } = options;
  checkCount('count', count, 'pictures a prompt');
  checkCount('bestOf', bestOf, 'candidates a picture');
  const drawn = count * bestOf;
  const seeds = seedsOf(seed, texts.length, drawn);
  const chosen = Object.fromEntries(
    Object.entries(options).filter(([name, value]) => name in defaults && value !== undefined),
  );
  const needsGuidance = options.negative !== undefined && !isGuided(defaults.guidanceScale);
  const settings: SamplingChoice = {
    ...defaults,
    ...(needsGuidance && { guidanceScale: GUIDANCE_AWAY }),
    ...chosen,
  };
  checkSampling({ ...recipe.sampling, ...settings }, 'sampling');
  refuseUnused(settings.sampler, chosen);
  refuseSteps(settings, { times: recipe.diffusion.timesteps, tokens: gridSize(recipe) ** 2 }, 'sampling');
  const negative = negativeOf(options.negative, texts, settings);
  const start = startOf(options.start, recipe);
  const total = texts.length * drawn;
  const wantedAt = (index: number): Wanted => {
    const prompt = Math.floor(index / drawn);
    return { prompt, seed: seeds[prompt]! + (index % drawn) };
  };
  const batch = (start: number, most: number) =>
    Array.from({ length: Math.min(most, total - start) }, (_, i) => wantedAt(start + i));
  return { conditions, prompts: texts, negative, start, bestOf, total, batch, settings };
}

function checkCount(name: string, value: number, what: string): void {
  if (!Number.isSafeInteger(value) || value < 1)
    throw new UserError(`${name} is ${shown(value)}: give a whole number of ${what}, from 1`);
}

/** The guidance scale away from a negative text, by default, where a recipe has no guidance. */
const GUIDANCE_AWAY = 2;

/** The negative text, which must make a difference. */
function negativeOf(
  negative: string | undefined,
  prompts: readonly string[],
  { guidanceScale }: SamplingChoice,
): string | undefined {
  if (negative === undefined) return undefined;
  if (typeof negative !== 'string') throw new UserError(`negative is ${shown(negative)}: give a text`);
  const text = negative.trim();
  if (text === '') throw new UserError('The negative prompt is empty: say what to avoid, or leave it out');
  if (prompts.some((prompt) => prompt.trim() === text))
    throw new UserError(
      `The negative prompt "${shown(text)}" is also a prompt: they would cancel each other; change one`,
    );
  if (!isGuided(guidanceScale))
    throw new UserError('A negative prompt has no effect without guidance: give a guidance scale other than 1');
  return text;
}

function conditionsOf(prompts: Condition | readonly Condition[]): readonly Condition[] {
  const isList = (value: unknown): value is readonly Condition[] => Array.isArray(value);
  if (!isList(prompts) && (prompts === null || (typeof prompts !== 'string' && typeof prompts !== 'object')))
    throw new UserError(`prompts are ${shown(prompts)}: give a text or a list of texts`);
  const list = isList(prompts) ? prompts : [prompts];
  for (const [i, condition] of list.entries()) checkCondition(condition, `Prompt ${i + 1}`);
  return list;
}

/** The start with its mask as codes. */
function startOf(start: StartPicture | undefined, recipe: Recipe): RequestedStart | undefined {
  if (start === undefined) return undefined;
  if (typeof start !== 'object' || start === null)
    throw new UserError(`start is ${shown(start)}: give an object such as { picture, strength: 0.6 }`);
  const { picture, strength = 1, mask } = start;
  checkStrength(strength);
  checkPictures([picture], recipe.imageSize, () => 'The picture to start from');
  if (mask) checkPictures([mask], recipe.imageSize, () => 'The mask');
  return { picture, strength, redraw: mask && redrawnCodes(mask, gridSize(recipe)) };
}

function checkNames(options: GenerateOptions, known: readonly string[]): void {
  if (typeof options !== 'object' || options === null || Array.isArray(options))
    throw new UserError(`options are ${shown(options)}: give an object such as { count: 4, seed: 1 }`);
  const unknown = Object.keys(options).find((name) => !known.includes(name));
  if (unknown !== undefined)
    throw new UserError(`There is no option ${shown(unknown)}: choose among ${known.join(', ')}`);
}

/** The seed of each prompt's first picture. */
function seedsOf(seed: number | readonly number[], prompts: number, count: number): readonly number[] {
  const seeds = typeof seed === 'number' ? Array.from({ length: prompts }, () => seed) : seed;
  if (!Array.isArray(seeds)) throw new UserError(`seed is ${shown(seed)}: give a whole number, or one for each prompt`);
  if (seeds.length !== prompts)
    throw new UserError(`${seeds.length} seeds for ${prompts} prompts: give one for each, or one for all`);
  const wrong = seeds.find((first) => !Number.isSafeInteger(first) || first < 0 || first > LARGEST_SEED - (count - 1));
  if (wrong !== undefined)
    throw new UserError(
      `seed ${shown(wrong)} with ${count} pictures: seeds are whole numbers, and those of all pictures lie in 0 to ${LARGEST_SEED}`,
    );
  return seeds;
}

/** @throws UserError unless each of them is a picture of `size` by `size` pixels. */
export function checkPictures(
  images: readonly RgbImage[],
  size: number,
  nameAt: (index: number) => string = (i) => `Picture ${i + 1}`,
): void {
  if (!Array.isArray(images)) throw new UserError(`pictures are ${shown(images)}: give a list of them`);
  for (const [i, image] of images.entries()) {
    if (typeof image !== 'object' || image === null)
      throw new UserError(`${nameAt(i)} is ${shown(image)}: give { width, height, data }`);
    const { width, height, data } = image;
    if (width !== size || height !== size)
      throw new UserError(`${nameAt(i)} is ${width}x${height}; this model takes ${size}x${size}: scale it first`);
    if (!(data instanceof Uint8Array) || data.length !== 3 * size * size)
      throw new UserError(
        `${nameAt(i)} does not hold ${3 * size * size} bytes (Uint8Array): give red, green and blue of every pixel`,
      );
  }
}

/** @throws UserError unless the codes are those of whole pictures: `tokens` a picture, each in 0 .. codes − 1. */
export function checkCodes(given: Int32Array, tokens: number, codes: number): void {
  if (!(given instanceof Int32Array)) throw new UserError(`codes are ${shown(given)}: give an Int32Array`);
  if (given.length % tokens !== 0)
    throw new UserError(`${given.length} codes are no whole number of pictures: this model has ${tokens} a picture`);
  const at = given.findIndex((code) => code < 0 || code >= codes);
  if (at >= 0)
    throw new UserError(
      `Code ${(at % tokens) + 1} of picture ${Math.floor(at / tokens) + 1} is ${given[at]}: this model's codes are 0 to ${codes - 1}`,
    );
}
