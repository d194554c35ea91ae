/**
 * Going on from a picture: variations keep a part of its codes by chance, repainting keeps those that a mask does not
 * name.
 */

import { UserError } from '../base/errors.ts';
import type { RgbImage } from '../data/pictures/image.ts';
import { firstTimes, type Schedule } from '../diffusion/process/schedule.ts';
import { type SamplerName, stepRange } from '../diffusion/samplers/index.ts';
import { unmaskedCodes } from '../diffusion/samplers/keep.ts';

/** A picture that others are drawn from. */
export interface StartPicture {
  /** Of the model's size. */
  readonly picture: RgbImage;
  /**
   * Share of the chain that is drawn, in (0, 1]; 1, all of it, by default. Less begins from the picture's codes as the
   * forward process leaves them after that share: those that it has masked by then are drawn anew, the others stay.
   */
  readonly strength?: number | undefined;
  /**
   * A picture of the same size, white where codes are drawn anew; where it is black they stay. Everything is drawn anew
   * by default.
   */
  readonly mask?: RgbImage | undefined;
}

/** A `StartPicture` as codes. */
export interface StartCodes {
  /** [tokens] */
  readonly codes: Int32Array;
  readonly strength: number;
  /** 1 where a code may be drawn anew, [tokens]; everywhere by default. */
  readonly redraw?: Uint8Array | undefined;
}

/** What is drawn over: the first part of a schedule, in so many steps, around codes that stay. */
export interface Chain {
  readonly schedule: Schedule;
  readonly steps: number;
  /** K where a code is drawn, [pictures, tokens]; undefined where every code is. */
  readonly known: Int32Array | undefined;
}

/** The settings that decide over the length of a chain. */
export interface ChainSettings {
  readonly sampler: SamplerName;
  readonly steps: number;
}

/**
 * Times and steps of a chain that begins after the share `strength` of the forward process: at least as many as the
 * sampler needs.
 */
export function chainLength(
  { sampler, steps }: ChainSettings,
  strength: number,
  { times, tokens }: { readonly times: number; readonly tokens: number },
): { readonly times: number; readonly steps: number } {
  if (strength === 1) return { times, steps };
  const fewest = stepRange(sampler, { times, tokens }).least;
  const own = Math.max(fewest, Math.round(times * strength));
  const { least, most } = stepRange(sampler, { times: own, tokens });
  return { times: own, steps: Math.min(most, Math.max(least, Math.round(steps * strength))) };
}

/** The chain that draws pictures of these seeds, from a start or from nothing. */
export function chainFrom(
  start: StartCodes | undefined,
  settings: ChainSettings,
  schedule: Schedule,
  tokens: number,
  noise: { readonly seed: number; readonly samples: readonly number[] },
): Chain {
  if (!start) return { schedule, steps: settings.steps, known: undefined };
  const { codes, strength, redraw } = start;
  const { times, steps } = chainLength(settings, strength, { times: schedule.steps, tokens });
  const own = firstTimes(schedule, times);
  const left =
    strength < 1
      ? unmaskedCodes(own, codes, noise)
      : new Int32Array(noise.samples.length * tokens).fill(schedule.codes);
  const known = left.map((code, i) => (redraw?.[i % tokens] === 0 ? codes[i % tokens]! : code));
  return { schedule: own, steps, known };
}

/** @throws UserError unless a strength is a number in (0, 1]. */
export function checkStrength(strength: number): void {
  if (!(typeof strength === 'number' && strength > 0 && strength <= 1))
    throw new UserError(
      `strength is ${String(strength)}: give a number above 0 (nothing changes) up to 1 (all is new)`,
    );
}

/** A pixel this bright, or brighter, is drawn anew. */
const WHITE = 128;

/**
 * The codes of a grid that a mask names: 1 where any pixel of the code's square is white, [grid · grid].
 * @throws UserError if that is none of them.
 */
export function redrawnCodes(mask: RgbImage, grid: number): Uint8Array {
  const redraw = new Uint8Array(grid * grid);
  const cell = mask.width / grid;
  for (let y = 0; y < mask.height; y++)
    for (let x = 0; x < mask.width; x++) {
      const at = 3 * (y * mask.width + x);
      const brightness = (mask.data[at]! + mask.data[at + 1]! + mask.data[at + 2]!) / 3;
      if (brightness >= WHITE) redraw[Math.floor(y / cell) * grid + Math.floor(x / cell)] = 1;
    }
  if (!redraw.includes(1))
    throw new UserError('The mask keeps all of the picture: make white what is to be drawn anew');
  return redraw;
}
