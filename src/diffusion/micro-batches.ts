/** What a batch of the diffusion stage that was computed in micro-batches reports. */

import { float32, type NDArray, scalar } from '../base/ndarray.ts';

/**
 * What the whole batch would have reported: the mean of the losses, all KL terms in order, the norm of the gradients'
 * sum, and the cross entropy over all masked tokens, however many of them each micro-batch has.
 */
export function joinResults(results: readonly Readonly<Record<string, NDArray>>[]): Record<string, NDArray> {
  const numbers = (name: string) => results.map((result) => result[name]!.data[0]!);
  const total = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0);
  const kl = Float32Array.from(results.flatMap((result) => [...result.kl!.data]));
  const masked = numbers('masked');
  const surprise = total(numbers('crossEntropy').map((mean, i) => mean * masked[i]!));
  return {
    loss: scalar(total(numbers('loss')) / results.length),
    crossEntropy: scalar(surprise / Math.max(1, total(masked))),
    kl: float32(kl, [kl.length]),
    norm: results.at(-1)!.norm!,
  };
}
