/** How a picture is varied while it is learned from: which square of it is seen, and whether mirrored. */

import { uniforms } from '../../random/noise.ts';
import type { PictureSettings } from '../../recipe/schema.ts';
import { type Crop, wholePicture } from './crop.ts';

/** What is done to a picture: `crop` of it is kept (the middle square if undefined), then it is mirrored or not. */
export interface Augmentation {
  readonly crop?: Crop;
  readonly flip: boolean;
}

/** Whether all views of a picture are the same. */
export const isFixed = ({ crop, flip }: Pick<PictureSettings, 'crop' | 'flip'>): boolean =>
  (crop === 'centre' || crop === 'pad') && !flip;

/** The settings that change what is seen of a picture; the others only choose among pictures. */
export const variationOf = ({ background, crop, flip }: PictureSettings) => ({ background, crop, flip });

/**
 * View number `view` (an epoch, say) of the picture whose content is `contentId`: a pure function of these and the
 * seed, and not of the picture's place in its folder, so that the view stays the same when pictures are added.
 *
 * The random crop is DALL-E's (Ramesh et al., 2102.12092), which VQ-Diffusion uses: a square as wide as the short side,
 * within the middle quarter of what the long side has to spare; resized to t pixels, t uniform from r to 9/8 r; of that
 * a random square of r pixels, r being `imageSize`.
 */
export function augmentation(
  settings: Pick<PictureSettings, 'crop' | 'flip'>,
  { seed, view }: { readonly seed: number; readonly view: number },
  contentId: string,
  imageSize: number,
): Augmentation {
  const whole = settings.crop === 'pad' ? { crop: wholePicture } : {};
  if (isFixed(settings)) return { ...whole, flip: false };
  const sample = Number.parseInt(contentId.slice(0, 7), 16);
  const [along, down, size, x, y, mirror] = uniforms({ seed, stream: 'pictures/view', step: view }, sample, 6);
  return {
    ...whole,
    ...(settings.crop === 'cover' && { crop: coverCrop(view) }),
    ...(settings.crop === 'random' && {
      crop: randomCrop(imageSize, { along: along!, down: down!, size: size!, x: x!, y: y! }),
    }),
    flip: settings.flip && mirror! < 0.5,
  };
}

/**
 * Squares as wide as the short side, evenly from one end of the picture to the other, so many that they cover it, and
 * one of them the middle: view 0 is that one, the next views take the others in turn.
 */
const coverCrop =
  (view: number): Crop =>
  (width, height) => {
    const [short, long] = [Math.min(width, height), Math.max(width, height)];
    const half = Math.ceil(Math.ceil(long / short - 1) / 2);
    const squares = 2 * half + 1;
    const place = half === 0 ? 0 : ((half + view) % squares) / (squares - 1);
    const at = place === 0.5 || half === 0 ? (long - short) / 2 : Math.round(place * (long - short));
    return width >= height
      ? { left: at, top: 0, width: short, height: short }
      : { left: 0, top: at, width: short, height: short };
  };

/** Uniform numbers in [0, 1): two for the square, one for its size, two for the crop of it. */
interface Draws {
  readonly along: number;
  readonly down: number;
  readonly size: number;
  readonly x: number;
  readonly y: number;
}

/** DALL-E's crop in pixels of the picture itself, so that one resize does what two would. */
export const randomCrop =
  (r: number, { along, down, size, x, y }: Draws): Crop =>
  (width, height) => {
    const short = Math.min(width, height);
    const t = between(r, Math.max(r, Math.min(short, Math.round((9 / 8) * r))) + 1, size);
    const scale = short / t;
    const side = Math.max(1, Math.min(short, Math.round(r * scale)));
    const offset = (length: number, outer: number, inner: number) => {
      const spare = length - short;
      const first = Math.floor((3 * spare) / 8);
      const square = between(first, Math.max(first + 1, Math.floor((5 * spare) / 8)), outer);
      return Math.min(length - side, square + Math.round(between(0, t - r + 1, inner) * scale));
    };
    return { left: offset(width, along, x), top: offset(height, down, y), width: side, height: side };
  };

/** A whole number from `low` to below `high`. */
const between = (low: number, high: number, u: number): number => low + Math.floor(u * (high - low));

/** Mirrors a square of `side` pixels, [side, side, 3] bytes, in place. */
export function mirror(bytes: Uint8Array, side: number): void {
  for (let row = 0; row < side; row++)
    for (let left = 0; left < side >> 1; left++)
      for (let c = 0; c < 3; c++) {
        const a = 3 * (row * side + left) + c;
        const b = 3 * (row * side + side - 1 - left) + c;
        [bytes[a], bytes[b]] = [bytes[b]!, bytes[a]!];
      }
}
