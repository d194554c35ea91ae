/** What a batch of the diffusion stage that was computed in micro-batches reports. */

import { float32, type NDArray, scalar } from '../base/ndarray.ts';

/**
 * What the whole batch would have reported: the mean of the losses, all KL terms in order, the norm of the gradients'
 * sum. The cross entropy is the mean of their means, which weighs them alike however many tokens each has masked; it is
 * only reported.
 */
export function joinResults(results: readonly Readonly<Record<string, NDArray>>[]): Record<string, NDArray> {
  const mean = (name: string) => scalar(results.reduce((sum, r) => sum + r[name]!.data[0]!, 0) / results.length);
  const kl = Float32Array.from(results.flatMap((result) => [...result.kl!.data]));
  return {
    loss: mean('loss'),
    crossEntropy: mean('crossEntropy'),
    kl: float32(kl, [kl.length]),
    norm: results.at(-1)!.norm!,
  };
}
