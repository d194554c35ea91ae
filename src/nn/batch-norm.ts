/**
 * Batch normalisation (Ioffe & Szegedy, 1502.03167) of pictures by the statistics of the batch, with the running
 * averages that evaluation uses.
 */

import { sizeOf } from '../base/ndarray.ts';
import type { Tensor } from '../graph/index.ts';
import * as g from '../graph/index.ts';
import type { Norm } from './layers.ts';
import { constant, type Parameter } from './parameters.ts';

/** What the running averages take from each batch. */
export const BATCH_NORM_MOMENTUM = 0.1;
/** Added to the variance. */
export const BATCH_NORM_EPS = 1e-5;

/** Statistics that training leaves for evaluation, under PyTorch's names. No gradient reaches them. */
export type RunningStatistics<T> = {
  readonly running_mean: T;
  readonly running_var: T;
  /** A count, kept as a float like the other state. */
  readonly num_batches_tracked: T;
};

/** Running statistics of `channels` channels as they start: mean 0, variance 1, no batches. */
export const runningStatistics = (channels: number): RunningStatistics<Parameter> => ({
  running_mean: constant([channels], 0),
  running_var: constant([channels], 1),
  num_batches_tracked: constant([], 0),
});

/**
 * In training, for x [batch, channels, height, width]: y = (x − mean)/√(var + eps) · weight + bias with the mean and
 * the biased variance of each channel in this batch, and the running statistics moved towards them, the variance
 * unbiased. The batch is that of so many `ranks`, each of which has an equal share of it as x.
 */
export function batchNorm(
  p: Norm<Tensor>,
  running: RunningStatistics<Tensor>,
  x: Tensor,
  ranks = 1,
): { readonly y: Tensor; readonly running: RunningStatistics<Tensor> } {
  const channels = x.shape[1]!;
  const count = (ranks * sizeOf(x.shape)) / channels;
  const overBatch = (t: Tensor) => g.meanOverRanks(g.mean(t, [0, 2, 3], true), ranks);
  const mean = overBatch(x);
  const centred = g.sub(x, mean);
  const variance = overBatch(g.square(centred));
  const y = affine(p, g.div(centred, g.sqrt(g.add(variance, BATCH_NORM_EPS))));

  const moved = (average: Tensor, now: Tensor) =>
    g.add(g.mul(average, 1 - BATCH_NORM_MOMENTUM), g.mul(g.reshape(now, [channels]), BATCH_NORM_MOMENTUM));
  return {
    y,
    running: {
      running_mean: moved(running.running_mean, mean),
      running_var: moved(running.running_var, g.mul(variance, count / (count - 1))),
      num_batches_tracked: g.add(running.num_batches_tracked, 1),
    },
  };
}

const affine = ({ weight, bias }: Norm<Tensor>, x: Tensor): Tensor =>
  g.add(g.mul(x, perChannel(weight)), perChannel(bias));

/** [channels] as a factor of [batch, channels, height, width]. */
const perChannel = (t: Tensor): Tensor => g.reshape(t, [1, -1, 1, 1]);
