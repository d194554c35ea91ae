/**
 * The condition vector on the host: pseudo text embeddings (LAFITE, arXiv 2111.13792). The null condition is a
 * parameter of the model.
 */

import { unitRows, unitRows32 } from '../base/rows.ts';

/**
 * Turns image embeddings into stand-ins for text embeddings: h = h' / |h'| with h' as in `perturb`, row by row.
 *
 * @param features f, unit CLIP image embeddings `[batch, dim]`.
 * @param noise standard normal, `[batch, dim]`.
 * @param alpha length of the perturbation relative to f; 0.5 on FFHQ, 0.25 on COCO.
 * @returns h, unit rows `[batch, dim]`.
 */
export function pseudoText(
  features: ArrayLike<number>,
  noise: ArrayLike<number>,
  alpha: number,
  dim: number,
): Float32Array<ArrayBuffer> {
  return unitRows32(perturb(features, noise, alpha, dim), dim);
}

/** h' = f + alpha * noise / |noise|, row by row, left at the length it has. Arguments as for `pseudoText`. */
export function perturb(
  features: ArrayLike<number>,
  noise: ArrayLike<number>,
  alpha: number,
  dim: number,
): Float64Array<ArrayBuffer> {
  if (features.length !== noise.length) {
    throw new RangeError(`pseudo text: ${features.length} features and ${noise.length} noise values do not match`);
  }
  return unitRows(noise, dim).map((d, i) => features[i]! + alpha * d);
}
