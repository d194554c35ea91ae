/** The interface of perceptual distances, and LPIPS as one. */

import type { Tensor } from '../graph/index.ts';
import * as g from '../graph/index.ts';
import { literals } from '../nn/parameters.ts';
import { lpips } from './lpips.ts';
import type { LpipsWeights } from './lpips-weights.ts';

/** A measure of how different two pictures look. */
export interface PerceptualDistance {
  /** SHA-256 of the weights behind it, hex. */
  readonly id: string;
  /** How different pictures [batch, 3, size, size] in [-1, 1] look on the average: a scalar, 0 for equal ones. */
  between(x: Tensor, y: Tensor): Tensor;
}

/** LPIPS, the mean over a batch, with these weights as constants of the programs. */
export const lpipsDistance = (weights: LpipsWeights): PerceptualDistance => ({
  id: weights.id,
  between: (x, y) => g.mean(lpips(weights.net, literals(weights.params), x, y)),
});
