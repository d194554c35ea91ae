/** The discriminator after training, by its running statistics: the product trains it and never uses it so. */

import type { Tensor } from '../../src/graph/index.ts';
import * as g from '../../src/graph/index.ts';
import { BATCH_NORM_EPS, type RunningStatistics } from '../../src/nn/batch-norm.ts';
import type { Norm } from '../../src/nn/layers.ts';
import { type Discriminator, type DiscriminatorBuffers, LEAKY_SLOPE } from '../../src/vqgan/discriminator.ts';

/** [channels] as a factor of [batch, channels, height, width]. */
const perChannel = (t: Tensor): Tensor => g.reshape(t, [1, -1, 1, 1]);

/** Batch normalisation of x [batch, channels, height, width] by running statistics. */
export function batchNormEvaluation(p: Norm<Tensor>, running: RunningStatistics<Tensor>, x: Tensor): Tensor {
  const deviation = g.sqrt(g.add(perChannel(running.running_var), BATCH_NORM_EPS));
  const normal = g.div(g.sub(x, perChannel(running.running_mean)), deviation);
  return g.add(g.mul(normal, perChannel(p.weight)), perChannel(p.bias));
}

/** Logits [batch, 1, patches, patches] of pictures [batch, 3, size, size]. */
export function discriminateEvaluation(
  { main }: Discriminator<Tensor>,
  buffers: DiscriminatorBuffers<Tensor>,
  x: Tensor,
): Tensor {
  const layers = Object.keys(buffers.main).length;
  let [h, convolutions] = [x, 0];
  for (const [index, member] of Object.entries(main)) {
    const statistics = buffers.main[index];
    if (statistics) {
      h = leakyRelu(batchNormEvaluation(member as Norm<Tensor>, statistics, h));
      continue;
    }
    h = g.conv2d(h, member.weight, { stride: convolutions < layers ? 2 : 1, pads: 1 });
    if (member.bias) h = g.add(h, perChannel(member.bias));
    if (convolutions++ === 0) h = leakyRelu(h);
  }
  return h;
}

const leakyRelu = (x: Tensor): Tensor => g.maximum(x, g.mul(x, LEAKY_SLOPE));
