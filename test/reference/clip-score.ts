/** CLIPScore as Hessel et al. (2104.08718) publish it, for comparing with published numbers. */

import { dot } from '../../src/embedding/cosine.ts';

const WEIGHT = 2.5;

/**
 * Cosine of each picture with its own text, in float64; the vectors may have any length.
 * @param images, texts `[pairs, dim]`.
 */
export function pairCosines(images: ArrayLike<number>, texts: ArrayLike<number>, dim: number): Float64Array {
  return Float64Array.from({ length: images.length / dim }, (_, i) => {
    const at = i * dim;
    return (
      dot(images, at, texts, at, dim) / Math.sqrt(dot(images, at, images, at, dim) * dot(texts, at, texts, at, dim))
    );
  });
}

/** CLIPScore of one pair, 2.5 max(cos, 0): published numbers on this scale are not cosines. */
export const hesselScore = (cosine: number): number => WEIGHT * Math.max(0, cosine);
