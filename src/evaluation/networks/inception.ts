/**
 * The Inception network of FID and of the Inception score, with the weights that pytorch-fid has ported from the
 * network of 2015. Pictures are brought to 299 x 299 bilinearly, without smoothing, corners not aligned, as pytorch-fid
 * does.
 */

import { float32, type NDArray } from '../../base/ndarray.ts';
import { flatten, unflatten } from '../../base/tree.ts';
import { type RgbImage, toPlanar } from '../../data/pictures/image.ts';
import { Engine, type EngineOptions } from '../../engine/engine.ts';
import type { Executable } from '../../engine/executor.ts';
import type { RemoteFile } from '../../files/download.ts';
import * as g from '../../graph/index.ts';
import { adopt, constant, type Parameter } from '../../nn/parameters.ts';
import { inceptionFeatures } from './inception-layers.ts';
import { type FeatureNetwork, INCEPTION } from './network.ts';
import { readWeights, type WeightsSource, weightsFile } from './published.ts';
import { bilinearRows } from './resize.ts';

const INCEPTION_FILE: RemoteFile = {
  url: 'https://github.com/mseitzer/pytorch-fid/releases/download/fid_weights/pt_inception-2015-12-05-6726825d.pth',
  sha256: '6726825d0af5f729cebd5821db510b11b1cfad8faad88a03f1befd49fb9129b2',
  bytes: 95_628_359,
};

const SIDE = 299;
const CLASSES = 1008;
const FEATURES = 2048;
const EPS = 1e-3;
/** Pictures that go through the network together. */
const BATCH = 16;

interface Layer<T> {
  readonly conv: { readonly weight: T };
  readonly bn: { readonly weight: T; readonly bias: T; readonly running_mean: T; readonly running_var: T };
}

/** Parameters under torchvision's names; the auxiliary classifier and the last bias are no part of it. */
export function inceptionParameters(thinner = 1): Record<string, Parameter> {
  const parameters: Record<string, Parameter> = {
    'fc.weight': constant([CLASSES, FEATURES / thinner], 0),
  };
  inceptionFeatures<number>(
    {
      conv(name, from, to, [height, width]) {
        parameters[`${name}.conv.weight`] = constant([to, from, height, width], 0);
        for (const part of ['weight', 'bias', 'running_mean', 'running_var'])
          parameters[`${name}.bn.${part}`] = constant([to], 0);
        return to;
      },
      maxPool: (channels) => channels,
      averagePool: (channels) => channels,
      concat: (parts) => parts.reduce((a, b) => a + b),
    },
    3,
    thinner,
  );
  return parameters;
}

type Weights = Readonly<Record<string, NDArray<'float32'>>>;

/** Features `[batch, 2048]` and logits without bias `[batch, 1008]` of pictures `[batch, 3, side, side]` in [-1, 1]. */
function inceptionProgram(weights: Weights, side: number, batch: number, thinner = 1): g.Program {
  return g.trace({ x: g.f32(batch, 3, side, side) }, ({ x }) => {
    const p = (name: string) => g.constant(weights[name]!);
    const of = (name: string): Layer<g.Tensor> => ({
      conv: { weight: p(`${name}.conv.weight`) },
      bn: {
        weight: p(`${name}.bn.weight`),
        bias: p(`${name}.bn.bias`),
        running_mean: p(`${name}.bn.running_mean`),
        running_var: p(`${name}.bn.running_var`),
      },
    });
    const h = inceptionFeatures<g.Tensor>(
      {
        conv(name, input, _, __, { stride = 1, pads: [rows, columns] = [0, 0] } = {}) {
          const { conv, bn } = of(name);
          const scale = g.div(bn.weight, g.sqrt(g.add(bn.running_var, EPS)));
          const y = g.conv2d(input, conv.weight, { stride, pads: [rows, columns, rows, columns] });
          const shift = g.sub(bn.bias, g.mul(bn.running_mean, scale));
          const channels = (t: g.Tensor) => g.reshape(t, [1, -1, 1, 1]);
          return g.maximum(g.add(g.mul(y, channels(scale)), channels(shift)), 0);
        },
        maxPool: (input, stride) => pool(input, stride, stride === 1 ? 1 : 0, (a, b) => g.maximum(a, b)),
        averagePool: (input) =>
          g.div(
            pool(input, 1, 1, (a, b) => g.add(a, b)),
            windowSizes(input),
          ),
        concat: (parts) => g.concat(parts, 1),
      },
      resized(x, side),
      thinner,
    );
    const features = g.mean(h, [2, 3]);
    return { features, logits: g.matmul(features, g.transpose(p('fc.weight'), [1, 0])) };
  });
}

/** Windows of 3 x 3, joined by a function; what lies beyond the edge is 0, the least after a ReLU. */
function pool(x: g.Tensor, stride: number, pads: number, join: (a: g.Tensor, b: g.Tensor) => g.Tensor): g.Tensor {
  const padded = pads > 0 ? g.pad(x, [0, 0, pads, pads], [0, 0, pads, pads]) : x;
  const count = Math.floor((padded.shape[2]! - 3) / stride) + 1;
  const every = (t: g.Tensor, axis: 2 | 3, start: number) =>
    g.slice(t, axis, start, start + (count - 1) * stride + 1, stride);
  const along = (t: g.Tensor, axis: 2 | 3) => [0, 1, 2].map((start) => every(t, axis, start)).reduce(join);
  return along(along(padded, 2), 3);
}

/** How many pictures points each window of 3 x 3 holds: 9, and 6 and 4 at the edge. */
function windowSizes(x: g.Tensor): g.Tensor {
  const side = x.shape[2]!;
  const inside = (i: number) => (i === 0 || i === side - 1 ? 2 : 3);
  const sizes = Float32Array.from({ length: side * side }, (_, i) => inside(Math.floor(i / side)) * inside(i % side));
  return g.constant(float32(sizes, [1, 1, side, side]));
}

/** Pictures `[batch, 3, side, side]` at 299 x 299. */
function resized(x: g.Tensor, side: number): g.Tensor {
  const rows = bilinearRows(side, SIDE);
  const columns = new Float32Array(rows.length);
  for (let i = 0; i < SIDE; i++) for (let j = 0; j < side; j++) columns[j * SIDE + i] = rows[i * side + j]!;
  const weights = g.constant(float32(columns, [side, SIDE]));
  const turned = g.transpose(g.matmul(x, weights), [0, 1, 3, 2]);
  return g.transpose(g.matmul(turned, weights), [0, 1, 3, 2]);
}

/**
 * The network, ready for pictures that are squares of any one size.
 * @throws UserError if the weights cannot be had, or are not its own.
 */
export async function openInception(
  engineOptions: EngineOptions,
  {
    published = INCEPTION_FILE,
    thinner = 1,
    ...source
  }: WeightsSource & { readonly published?: RemoteFile; readonly thinner?: number } = {},
): Promise<FeatureNetwork> {
  const file = await weightsFile(published, source);
  const parameters = inceptionParameters(thinner);
  const weights = flatten<NDArray<'float32'>>(
    adopt(
      unflatten<Parameter>(parameters),
      readWeights(file, (name) => name in parameters),
      file,
    ),
  );
  const engine = Engine.start(engineOptions);
  let compiled: { readonly side: number; readonly executable: Executable } | undefined;
  return {
    name: INCEPTION,
    dim: FEATURES / thinner,
    async features(images) {
      const side = images[0]?.width ?? SIDE;
      if (compiled?.side !== side) {
        await compiled?.executable.release();
        compiled = { side, executable: await engine.compile(inceptionProgram(weights, side, BATCH, thinner)) };
      }
      return inBatches(images, compiled.executable, FEATURES / thinner);
    },
    close: () => engine.close(),
  };
}

/** The last batch is filled up with its last picture. */
async function inBatches(images: readonly RgbImage[], executable: Executable, dim: number) {
  const rows = new Float32Array(images.length * dim);
  const logits = new Float32Array(images.length * CLASSES);
  for (let start = 0; start < images.length; start += BATCH) {
    const part = Array.from({ length: BATCH }, (_, i) => images[Math.min(start + i, images.length - 1)]!);
    const side = part[0]!.width;
    const out = await executable.run({ x: float32(toPlanar(part), [BATCH, 3, side, side]) });
    const kept = Math.min(BATCH, images.length - start);
    rows.set((out.features!.data as Float32Array).subarray(0, kept * dim), start * dim);
    logits.set((out.logits!.data as Float32Array).subarray(0, kept * CLASSES), start * CLASSES);
  }
  return { rows, logits };
}
