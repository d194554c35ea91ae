/**
 * Programs for batches of any size, for files that others run. Layers write what is fastest for the batch that they are
 * traced with, and gather rows over all its pictures; here they keep the batch axis leading throughout.
 */

import type { Tensor } from '../graph/index.ts';
import * as g from '../graph/index.ts';
import { fileLayout } from './kernel-layout.ts';

let open = 0;

/** Whether what is traced now is for batches of any size. */
export const isOpenBatch = (): boolean => open > 0;

/** Trace at batch 1 what `writeOnnx` can write with `openBatch`. */
export function openBatch<T>(trace: () => T): T {
  open++;
  try {
    return trace();
  } finally {
    open--;
  }
}

/** The convolution of `conv3x3Winograd` by its definition: [batch, side·side, in] by [3, 3, in, out]. */
export function conv3x3Open(taps: Tensor, x: Tensor): Tensor {
  const [batch, positions, from] = x.shape as readonly [number, number, number];
  const side = Math.sqrt(positions);
  const planes = g.reshape(g.transpose(x, [0, 2, 1]), [batch, from, side, side]);
  const y = g.conv2d(planes, fileLayout(taps), { pads: 1 });
  return g.transpose(g.reshape(y, [batch, taps.shape[3]!, positions]), [0, 2, 1]);
}

/**
 * Each pixel twice in both directions: [batch, height, width, channels] to [batch, 2 · height, 2 · width, channels].
 */
export function upsampleOpen(x: Tensor): Tensor {
  const [batch, height, width, channels] = x.shape as readonly [number, number, number, number];
  const twice = (t: Tensor, axis: number) => g.concat([t, t], axis);
  const wide = g.reshape(twice(g.reshape(x, [batch, height, width, 1, channels]), 3), [batch, height, 1, -1, channels]);
  return g.reshape(twice(wide, 2), [batch, 2 * height, 2 * width, channels]);
}
