/**
 * DINOv2 (Oquab et al., 2304.07193) as FD-DINOv2 is defined on (Stein et al., 2306.04675): the class token of ViT-L/14
 * after its last norm, for pictures at 224 x 224, bicubic as Pillow does it, scaled by the means of ImageNet.
 */

import { UserError } from '../../base/errors.ts';
import { float32, type NDArray } from '../../base/ndarray.ts';
import type { RgbImage } from '../../data/pictures/image.ts';
import { Engine, type EngineOptions } from '../../engine/engine.ts';
import type { Executable } from '../../engine/executor.ts';
import type { RemoteFile } from '../../files/download.ts';
import * as g from '../../graph/index.ts';
import { attention, layerNorm } from '../../nn/layers.ts';
import { DINOV2, type FeatureNetwork } from './network.ts';
import { readWeights, type WeightsSource, weightsFile } from './published.ts';
import { bicubic, cubic } from './resize.ts';

const DINOV2_FILE: RemoteFile = {
  url: 'https://dl.fbaipublicfiles.com/dinov2/dinov2_vitl14/dinov2_vitl14_pretrain.pth',
  sha256: 'd5383ea8f4877b2472eb973e0fd72d557c7da5d3611bd527ceeb1d7162cbf428',
  bytes: 1_217_586_395,
};

const [SIDE, PATCH, HEAD] = [224, 14, 64];
const GRID = SIDE / PATCH;
const EPS = 1e-6;
/** Pictures that go through the network together. */
const BATCH = 4;
const MEAN = [0.485, 0.456, 0.406] as const;
const DEVIATION = [0.229, 0.224, 0.225] as const;

type Weights = Readonly<Record<string, NDArray>>;

/** What a file's names and shapes say of the network: its width, blocks, and the side of its grid of positions. */
interface Shape {
  readonly width: number;
  readonly blocks: number;
  readonly grid: number;
}

const isWanted = (name: string): boolean => /^(cls_token|pos_embed|patch_embed\.|blocks\.|norm\.)/.test(name);

/** @throws UserError if these are not the weights of a ViT/14 with a plain feed-forward part. */
function shapeOf(weights: Weights, file: string): Shape {
  const width = weights.cls_token?.shape.at(-1) ?? 0;
  const positions = weights.pos_embed?.shape[1] ?? 0;
  let blocks = 0;
  while (`blocks.${blocks}.norm1.weight` in weights) blocks++;
  const grid = Math.sqrt(positions - 1);
  const names = ['ls1.gamma', 'ls2.gamma', 'attn.qkv.weight', 'attn.proj.bias', 'mlp.fc1.weight', 'mlp.fc2.bias'];
  const isWhole = Array.from({ length: blocks }, (_, i) => names.every((name) => `blocks.${i}.${name}` in weights));
  const patches = weights['patch_embed.proj.weight']?.shape.join();
  if (
    blocks === 0 ||
    width % HEAD !== 0 ||
    !Number.isInteger(grid) ||
    patches !== `${width},3,${PATCH},${PATCH}` ||
    isWhole.includes(false) ||
    !('norm.bias' in weights)
  )
    throw new UserError(`${file} does not hold a DINOv2 of patches of 14: fetch ${DINOV2_FILE.url}`);
  return { width, blocks, grid };
}

/** Class tokens `[batch, width]` of pictures `[batch, 3, 224, 224]`, scaled. */
function dinoProgram(weights: Weights, { width, blocks, grid }: Shape, batch: number): g.Program {
  return g.trace({ x: g.f32(batch, 3, SIDE, SIDE) }, ({ x }) => {
    const p = (name: string) => g.constant(weights[name]!);
    const pair = (name: string) => ({ weight: p(`${name}.weight`), bias: p(`${name}.bias`) });
    const patches = g.conv2d(x, p('patch_embed.proj.weight'), { stride: PATCH });
    const rows = g.add(g.transpose(g.reshape(patches, [batch, width, -1]), [0, 2, 1]), p('patch_embed.proj.bias'));
    const token = g.expand(p('cls_token'), [batch, 1, width]);
    const positions = g.constant(float32(positionsAt(weights.pos_embed!, grid), [1, 1 + GRID * GRID, width]));
    let h = g.add(g.concat([token, rows], 1), positions);
    for (let i = 0; i < blocks; i++) {
      const name = `blocks.${i}`;
      const [query, key, value] = [0, 1, 2].map((part) => {
        const rows = (t: g.Tensor) => g.slice(t, 0, part * width, (part + 1) * width);
        return { weight: rows(p(`${name}.attn.qkv.weight`)), bias: rows(p(`${name}.attn.qkv.bias`)) };
      }) as [Pair, Pair, Pair];
      const attended = attention(
        { query, key, value, proj: pair(`${name}.attn.proj`) },
        layerNorm(pair(`${name}.norm1`), h, EPS),
        width / HEAD,
      );
      h = g.add(h, g.mul(attended, p(`${name}.ls1.gamma`)));
      const inner = gelu(dense(pair(`${name}.mlp.fc1`), layerNorm(pair(`${name}.norm2`), h, EPS)));
      h = g.add(h, g.mul(dense(pair(`${name}.mlp.fc2`), inner), p(`${name}.ls2.gamma`)));
    }
    return { features: layerNorm(pair('norm'), g.reshape(g.slice(h, 1, 0, 1), [batch, width]), EPS) };
  });
}

type Pair = { readonly weight: g.Tensor; readonly bias: g.Tensor };

const dense = ({ weight, bias }: Pair, x: g.Tensor): g.Tensor => g.add(g.matmul(x, g.transpose(weight, [1, 0])), bias);

/** x Φ(x), with erf within 1.5e-7 (Abramowitz & Stegun 7.1.26). */
function gelu(x: g.Tensor): g.Tensor {
  const z = g.mul(g.abs(x), Math.SQRT1_2);
  const t = g.div(1, g.add(g.mul(z, 0.3275911), 1));
  const polynomial = [1.061405429, -1.453152027, 1.421413741, -0.284496736, 0.254829592].reduce<g.Tensor>(
    (sum, coefficient) => g.mul(g.add(sum, coefficient), t),
    g.mul(t, 0),
  );
  const tail = g.mul(g.mul(polynomial, g.exp(g.neg(g.square(z)))), 0.5);
  return g.mul(x, g.where(g.greater(x, 0), g.sub(1, tail), tail));
}

/**
 * The table of positions `[1, 1 + grid², width]` for a grid of 16: bicubic (a = -0.75), not smoothed, in steps of
 * grid / 16.1, as the published code has it.
 */
export function positionsAt({ data, shape }: NDArray, grid: number): Float32Array {
  const width = shape.at(-1)!;
  const table = Float64Array.from(data);
  const result = new Float32Array((1 + GRID * GRID) * width);
  result.set(Float32Array.from(table.subarray(0, width)));
  if (grid === GRID) return Float32Array.from(table);
  const taps = Array.from({ length: GRID }, (_, i) => {
    const at = (i + 0.5) * (grid / (GRID + 0.1)) - 0.5;
    const first = Math.floor(at) - 1;
    return [0, 1, 2, 3].map((k) => ({
      place: Math.min(grid - 1, Math.max(0, first + k)),
      weight: cubic(at - (first + k), -0.75),
    }));
  });
  for (let y = 0; y < GRID; y++)
    for (let x = 0; x < GRID; x++)
      for (const row of taps[y]!)
        for (const column of taps[x]!) {
          const from = (1 + row.place * grid + column.place) * width;
          const to = (1 + y * GRID + x) * width;
          const weight = row.weight * column.weight;
          for (let d = 0; d < width; d++) result[to + d]! += weight * table[from + d]!;
        }
  return result;
}

/**
 * The network, ready for pictures of any size.
 * @throws UserError if the weights cannot be had, or are not its own.
 */
export async function openDinoV2(
  engineOptions: EngineOptions,
  { published = DINOV2_FILE, ...source }: WeightsSource & { readonly published?: RemoteFile } = {},
): Promise<FeatureNetwork> {
  const file = await weightsFile(published, source);
  const weights = readWeights(file, isWanted);
  const shape = shapeOf(weights, file);
  const engine = Engine.start(engineOptions);
  let program: Promise<Executable> | undefined;
  return {
    name: shape.width === 1024 ? DINOV2 : `DINOv2 of width ${shape.width}, which is not the standard one`,
    dim: shape.width,
    async features(images) {
      program ??= engine.compile(dinoProgram(weights, shape, BATCH));
      const executable = await program;
      const rows = new Float32Array(images.length * shape.width);
      for (let start = 0; start < images.length; start += BATCH) {
        const part = Array.from({ length: BATCH }, (_, i) => images[Math.min(start + i, images.length - 1)]!);
        const { features } = await executable.run({ x: float32(scaled(part), [BATCH, 3, SIDE, SIDE]) });
        const kept = Math.min(BATCH, images.length - start);
        rows.set((features!.data as Float32Array).subarray(0, kept * shape.width), start * shape.width);
      }
      return { rows };
    },
    close: () => engine.close(),
  };
}

/** Pictures `[n, 3, 224, 224]`, resized, by the means and deviations of ImageNet. */
export function scaled(images: readonly RgbImage[]): Float32Array {
  const plane = SIDE * SIDE;
  const planes = new Float32Array(images.length * 3 * plane);
  for (const [n, image] of images.entries()) {
    const { data } = bicubic(image, SIDE);
    for (let i = 0; i < plane; i++)
      for (let c = 0; c < 3; c++) planes[(3 * n + c) * plane + i] = (data[3 * i + c]! / 255 - MEAN[c]!) / DEVIATION[c]!;
  }
  return planes;
}
