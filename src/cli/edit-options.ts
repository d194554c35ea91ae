/** Options that name pictures and mixes of prompts: what pictures are drawn for, and what they go on from. */

import path from 'node:path';
import { type Command, InvalidArgumentError } from 'commander';
import { UserError } from '../base/errors.ts';
import { wholePicture } from '../data/pictures/crop.ts';
import { readHeader } from '../data/pictures/decode.ts';
import { readImage } from '../data/pictures/files.ts';
import type { RgbImage } from '../data/pictures/image.ts';
import { readRegular } from '../files/regular-file.ts';
import type { Condition, StartPicture } from '../generation/generator.ts';
import { redrawnCodes } from '../generation/start.ts';
import { gridSize, type Recipe } from '../recipe/schema.ts';

export interface EditOptions {
  readonly image?: string;
  readonly strength?: number;
  readonly init?: string;
  readonly mask?: string;
  readonly promptMix?: readonly Weighted[];
}

interface Weighted {
  readonly of: string;
  readonly weight: number;
}

export const withEdits = (command: Command): Command =>
  command
    .option('--prompt-mix <text:weight...>', 'one prompt that is a mix of texts: "a man:0.7" "a cat:0.3"', weighted)
    .option(
      '--image <file>',
      'a picture to draw for, as the CLIP sees it; with prompts, mixed with each of them half and half',
    )
    .option(
      '--strength <n>',
      'go on from the picture: the share of the chain that is drawn, above 0 up to 1 (default: 1, nothing of its codes stays)',
      share,
    )
    .option('--init <file>', 'a picture to repaint where --mask says so')
    .option('--mask <file>', 'a picture of the same size as --init: white is drawn anew, black stays');

/** The pictures and prompts that the options name. */
export interface Edits {
  readonly conditions: readonly Condition[];
  readonly start: StartPicture | undefined;
}

/**
 * Read the pictures that the options name, as a model of this recipe sees them.
 * @throws UserError if one cannot be read, a mask has another size than its picture, or options do not go together.
 */
export async function readEdits(prompts: readonly string[], options: EditOptions, recipe: Recipe): Promise<Edits> {
  const { image, strength, init, mask, promptMix } = options;
  if (init === undefined && mask !== undefined)
    throw new UserError('--mask needs --init <file>, the picture to repaint');
  if (init !== undefined && mask === undefined)
    throw new UserError(
      '--init needs --mask <file>, white where the picture is drawn anew; for a variation of all of it give --image and --strength',
    );
  if (strength !== undefined && image === undefined && init === undefined)
    throw new UserError('--strength needs a picture to go on from: --image <file>');
  const words: readonly Condition[] = promptMix ? [...prompts, { mix: promptMix }] : prompts;
  const seen =
    image === undefined ? undefined : { picture: await readSquare(image, recipe), name: path.basename(image) };
  const conditions = seen ? mixedWith(seen, words) : words;
  return { conditions, start: await startOf(options, seen?.picture, recipe) };
}

function mixedWith(seen: Condition, words: readonly Condition[]): readonly Condition[] {
  if (words.length === 0) return [seen];
  return words.map((of) => ({
    mix: [
      { of, weight: 0.5 },
      { of: seen, weight: 0.5 },
    ],
  }));
}

async function startOf(
  { strength = 1, init, mask }: EditOptions,
  seen: RgbImage | undefined,
  recipe: Recipe,
): Promise<StartPicture | undefined> {
  if (init !== undefined && mask !== undefined) {
    const picture = await readSquare(init, recipe);
    // What lies beyond a picture that was not square stays.
    const white = await readSquare(mask, recipe, '#000000');
    await checkSizes(init, mask);
    return { picture, mask: white, strength };
  }
  return seen && strength < 1 ? { picture: seen, strength } : undefined;
}

/**
 * The codes that a mask names, as text, for what tells pictures apart; undefined without a mask.
 * @throws UserError if it names none.
 */
export const repaintedCodes = (start: StartPicture | undefined, recipe: Recipe): string | undefined =>
  start?.mask && redrawnCodes(start.mask, gridSize(recipe)).join('');

async function checkSizes(init: string, mask: string): Promise<void> {
  const [picture, other] = [await sizeOf(init), await sizeOf(mask)];
  if (picture !== other)
    throw new UserError(`The mask ${mask} is ${other} pixels, ${init} is ${picture}: give a mask of the same size`);
}

const MOST_BYTES = 2 ** 30;

async function sizeOf(file: string): Promise<string> {
  const header = await readHeader(readRegular(file, MOST_BYTES));
  if (typeof header === 'string') throw new UserError(`Cannot read ${file}: ${header}`);
  return `${header.width}x${header.height}`;
}

/** A picture file as training has seen pictures, where that is the same each time. */
export function readSquare(
  file: string,
  { imageSize, pictures: { background, crop, maxPixels } }: Recipe,
  behind = background,
): Promise<RgbImage> {
  const kept = crop === 'pad' ? wholePicture : undefined;
  return readImage(file, imageSize, { background: behind, maxPixels: maxPixels && 1e6 * maxPixels, crop: kept });
}

/** `text:weight`, repeatable. */
function weighted(text: string, previous: readonly Weighted[] = []): readonly Weighted[] {
  const at = text.lastIndexOf(':');
  const [of, weight] = [text.slice(0, at).trim(), Number(text.slice(at + 1))];
  if (at < 1 || of === '' || text.slice(at + 1).trim() === '' || !(weight > 0 && weight < Infinity))
    throw new InvalidArgumentError('write each part as text:weight, such as "a man:0.7"; weights are numbers above 0.');
  return [...previous, { of, weight }];
}

/** A number in (0, 1]. */
function share(text: string): number {
  const value = Number(text);
  if (text.trim() === '' || !(value > 0 && value <= 1))
    throw new InvalidArgumentError('give a number above 0 (nothing changes) up to 1 (all is new).');
  return value;
}
