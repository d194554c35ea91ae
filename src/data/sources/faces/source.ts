/** The built-in picture set: drawn faces without end, and, for CLIP training alone, the same faces with captions. */
import { UserError } from '../../../base/errors.ts';
import { cropSquare } from '../../pictures/decode.ts';
import { contentIdOf } from '../inventory.ts';
import type { ImageSource } from '../source.ts';
import { type FaceAttributes, faceAttributes } from './attributes.ts';
import { composeCaption } from './captions.ts';
import { drawFace } from './drawing.ts';
import { drawsOf } from './draws.ts';

/** Faces `offset` … `offset + count − 1` of the sequence `seed`. Ranges that do not overlap share no picture index. */
export interface FaceRange {
  readonly seed: number;
  readonly count: number;
  readonly offset: number;
}

/** Faces as pictures only: what the tokenizer and the diffusion model train on. */
export function facesSource(range: FaceRange): ImageSource {
  for (const [name, value] of Object.entries(range)) {
    if (!Number.isSafeInteger(value) || value < 0)
      throw new UserError(`faces: ${name} ${value} is not a whole number from 0`);
  }
  return {
    name: 'faces',
    size: range.count,
    id: (index) => String(indexIn(range, index)),
    contentId: (index) => contentIdOf(Buffer.from(JSON.stringify(faceAttributes(range.seed, indexIn(range, index))))),
    async read(index, imageSize, crop) {
      const face = faceAttributes(range.seed, indexIn(range, index));
      if (!crop) return drawFace(face, imageSize);
      // Drawn so large that a crop of half the side has its pixels.
      const side = 2 * imageSize;
      return cropSquare(await drawFace(face, side), imageSize, crop);
    },
  };
}

/** Version of the captions: other ones are other pairs to learn from. */
const CAPTIONS: number = 1;

/**
 * Identity of the captions of drawn faces, for what learns from them. The first version has none, so that what was
 * begun before there were versions goes on.
 */
export const captionsId = (version = CAPTIONS): string | undefined =>
  version === 1 ? undefined : `captions ${version}`;

/** Faces with captions. Only the compact CLIP may see these; keep its range apart from the generator's. */
export interface FacePairs {
  readonly images: ImageSource;
  attributes(index: number): FaceAttributes;
  /** Caption number `wording` of a face: another number, other words and other attributes. */
  caption(index: number, wording: number): string;
}

/** The faces of a range with their captions. */
export function facePairs(range: FaceRange): FacePairs {
  const attributes = (index: number): FaceAttributes => faceAttributes(range.seed, indexIn(range, index));
  return {
    images: facesSource(range),
    attributes,
    caption: (index, wording) => {
      const key = { seed: range.seed, stream: 'faces.captions', step: wording };
      return composeCaption(attributes(index), drawsOf(key, indexIn(range, index)));
    },
  };
}

function indexIn({ count, offset }: FaceRange, index: number): number {
  if (!Number.isInteger(index) || index < 0 || index >= count)
    throw new RangeError(`faces: no picture ${index} of ${count}`);
  return offset + index;
}
