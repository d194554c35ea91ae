/** The contrastive objective of CLIP (Radford et al., 2103.00020): symmetric InfoNCE with a learned temperature. */

import type { Tensor } from '../graph/index.ts';
import * as g from '../graph/index.ts';
import { logSoftmax } from '../nn/layers.ts';

/** The scale of the cosines, 1/τ, may grow to 100, as in the paper. */
const LARGEST_LOG_SCALE = Math.log(100);
/** Where log 1/τ starts: τ = 0.07. */
export const INITIAL_LOG_SCALE = Math.log(1 / 0.07);

/** The loss of a batch of pairs, and how many pairs find each other; both scalars. */
export interface ContrastiveResult {
  /**
   * ½ (cross-entropy of the right text for each image + of the right image for each text), in nats: log batch for
   * random guesses.
   */
  readonly loss: Tensor;
  /** Share of images whose own text is the nearest of the batch. */
  readonly accuracy: Tensor;
}

/**
 * ½ (mean −log softmax_j(s x_i · y_j)_i + mean −log softmax_j(s y_i · x_j)_i), s = exp(min(logScale, log 100)).
 * `images` and `texts`: unit vectors [batch, dim] of pairs, row i of one belonging to row i of the other; `logScale`:
 * scalar.
 */
export function contrastiveLoss(images: Tensor, texts: Tensor, logScale: Tensor): ContrastiveResult {
  const [batch] = images.shape as readonly [number];
  const scale = g.exp(g.minimum(logScale, LARGEST_LOG_SCALE));
  const logits = g.mul(g.matmul(images, g.transpose(texts, [1, 0])), scale);
  const index = g.constant({ dtype: 'int32', shape: [batch], data: Int32Array.from({ length: batch }, (_, i) => i) });
  const own = g.cast(g.equal(g.reshape(index, [batch, 1]), index), 'float32');
  const crossEntropy = (scores: Tensor) => g.neg(g.mul(g.sum(g.mul(logSoftmax(scores), own)), 1 / batch));
  const loss = g.mul(g.add(crossEntropy(logits), crossEntropy(g.transpose(logits, [1, 0]))), 0.5);
  return { loss, accuracy: g.mean(g.cast(g.equal(g.argmax(logits, 1), index), 'float32')) };
}
