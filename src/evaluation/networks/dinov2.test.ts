/** DINOv2 with random weights in small, against a second implementation in plain loops. */

import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { float32, type NDArray } from '../../base/ndarray.ts';
import { writeTorch } from '../../checkpoint/torch/write.ts';
import type { RgbImage } from '../../data/pictures/image.ts';
import { sharp } from '../../data/pictures/sharp.ts';
import { integers, normals } from '../../random/noise.ts';
import { openDinoV2, positionsAt, scaled } from './dinov2.ts';
import { bicubic } from './resize.ts';

const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'dinov2-'));
afterAll(() => fs.rmSync(folder, { recursive: true }));

const [WIDTH, INNER, BLOCKS, GRID] = [64, 96, 2, 5];
const random = (name: string, shape: readonly number[], scale: number, mean = 0): [string, NDArray<'float32'>] => {
  const count = shape.reduce((a, b) => a * b, 1);
  const values = normals({ seed: 3, stream: name, step: 0 }, 0, count).map((x) => mean + scale * x);
  return [name, float32(Float32Array.from(values), shape)];
};
const norm = (name: string) => [random(`${name}.weight`, [WIDTH], 0.2, 1), random(`${name}.bias`, [WIDTH], 0.2)];
const dense = (name: string, from: number, to: number) => [
  random(`${name}.weight`, [to, from], 1.5 / Math.sqrt(from)),
  random(`${name}.bias`, [to], 0.2),
];
const weights = new Map<string, NDArray<'float32'>>([
  random('cls_token', [1, 1, WIDTH], 1),
  random('mask_token', [1, WIDTH], 1),
  random('pos_embed', [1, 1 + GRID * GRID, WIDTH], 1),
  random('patch_embed.proj.weight', [WIDTH, 3, 14, 14], 0.04),
  random('patch_embed.proj.bias', [WIDTH], 0.2),
  ...Array.from({ length: BLOCKS }, (_, i) => `blocks.${i}`).flatMap((name) => [
    ...norm(`${name}.norm1`),
    ...dense(`${name}.attn.qkv`, WIDTH, 3 * WIDTH),
    ...dense(`${name}.attn.proj`, WIDTH, WIDTH),
    random(`${name}.ls1.gamma`, [WIDTH], 0.5),
    ...norm(`${name}.norm2`),
    ...dense(`${name}.mlp.fc1`, WIDTH, INNER),
    ...dense(`${name}.mlp.fc2`, INNER, WIDTH),
    random(`${name}.ls2.gamma`, [WIDTH], 0.5),
  ]),
  ...norm('norm'),
]);
const w = (name: string) => weights.get(name)!.data;

type Row = number[];
const times = (name: string, row: Row): Row => {
  const [weight, bias] = [w(`${name}.weight`), w(`${name}.bias`)];
  return Array.from(bias, (b, o) => row.reduce((sum, x, k) => sum + x * weight[o * row.length + k]!, b));
};
const normed = (name: string, row: Row): Row => {
  const mean = row.reduce((a, b) => a + b, 0) / row.length;
  const deviation = Math.sqrt(row.reduce((sum, x) => sum + (x - mean) ** 2, 0) / row.length + 1e-6);
  const [weight, bias] = [w(`${name}.weight`), w(`${name}.bias`)];
  return row.map((x, k) => ((x - mean) / deviation) * weight[k]! + bias[k]!);
};
/** Φ by its series, exact for what occurs here. */
function phi(x: number): number {
  let [term, sum] = [x, x];
  for (let k = 1; k < 200; k++) {
    term *= (x * x) / (2 * k + 1);
    sum += term;
  }
  return 0.5 + (sum * Math.exp((-x * x) / 2)) / Math.sqrt(2 * Math.PI);
}

function naive(planes: Float32Array): Row {
  const positions = positionsAt(weights.get('pos_embed')!, GRID);
  const [kernel, bias] = [w('patch_embed.proj.weight'), w('patch_embed.proj.bias')];
  let rows: Row[] = Array.from({ length: 257 }, (_, n) =>
    Array.from({ length: WIDTH }, (_, d) => {
      if (n === 0) return w('cls_token')[d]! + positions[d]!;
      const [top, left] = [14 * Math.floor((n - 1) / 16), 14 * ((n - 1) % 16)];
      let sum = bias[d]!;
      for (let c = 0; c < 3; c++)
        for (let y = 0; y < 14; y++)
          for (let x = 0; x < 14; x++)
            sum += kernel[((d * 3 + c) * 14 + y) * 14 + x]! * planes[(c * 224 + top + y) * 224 + left + x]!;
      return sum + positions[n * WIDTH + d]!;
    }),
  );
  for (let i = 0; i < BLOCKS; i++) {
    const name = `blocks.${i}`;
    const mixed = rows.map((row) => times(`${name}.attn.qkv`, normed(`${name}.norm1`, row)));
    rows = rows.map((row, n) => {
      const query = mixed[n]!.slice(0, WIDTH);
      const powers = mixed.map((other) => Math.exp(query.reduce((sum, q, k) => sum + q * other[WIDTH + k]!, 0) / 8));
      const total = powers.reduce((a, b) => a + b, 0);
      const value = query.map((_, k) =>
        mixed.reduce((sum, other, m) => sum + (powers[m]! / total) * other[2 * WIDTH + k]!, 0),
      );
      return times(`${name}.attn.proj`, value).map((x, k) => row[k]! + x * w(`${name}.ls1.gamma`)[k]!);
    });
    rows = rows.map((row) => {
      const inner = times(`${name}.mlp.fc1`, normed(`${name}.norm2`, row)).map((x) => x * phi(x));
      return times(`${name}.mlp.fc2`, inner).map((x, k) => row[k]! + x * w(`${name}.ls2.gamma`)[k]!);
    });
  }
  return normed('norm', rows[0]!);
}

const picture: RgbImage = {
  width: 40,
  height: 40,
  data: Uint8Array.from(integers({ seed: 2, stream: 'picture', step: 0 }, 0, 3 * 40 * 40, 256)),
};

it('computes what plain loops compute', async () => {
  const file = path.join(folder, 'dino.pth');
  writeTorch(file, weights);
  const network = await openDinoV2({ threads: 2 }, { file });
  try {
    const { rows } = await network.features([picture]);
    expect([network.dim, rows.length]).toEqual([WIDTH, WIDTH]);
    for (const [k, value] of naive(scaled([picture])).entries()) expect(rows[k]).toBeCloseTo(value, 3);
  } finally {
    await network.close();
  }
  weights.delete('blocks.1.ls2.gamma');
  writeTorch(file, weights);
  await expect(openDinoV2({}, { file })).rejects.toThrow(/does not hold a DINOv2/);
});

it('positions are looked up where a grid of 16.1 has them, and those of the own grid stay as they are', () => {
  const table = (grid: number, value: (y: number, x: number) => number) =>
    float32(
      [7, ...Array.from({ length: grid * grid }, (_, i) => value(Math.floor(i / grid), i % grid))],
      [1, 1 + grid * grid, 1],
    );
  const plane = (y: number, x: number) => y + 100 * x;
  expect(positionsAt(table(16, plane), 16)).toEqual(table(16, plane).data);
  for (const value of positionsAt(
    table(37, () => 7),
    37,
  ))
    expect(value).toBeCloseTo(7, 5);
  const moved = positionsAt(table(37, plane), 37);
  // The kernel bends planes by a twentieth of a place at most; half a place would be 50 here.
  for (const [y, x] of [
    [3, 5],
    [8, 12],
  ] as const) {
    const at = (place: number) => ((place + 0.5) * 37) / 16.1 - 0.5;
    expect(Math.abs(moved[1 + 16 * y + x]! - plane(at(y), at(x)))).toBeLessThan(6);
  }
});

it.each([40, 224, 300])('a picture of %d is resized bicubically within two levels of libvips', async (side) => {
  // Smooth, so that the libraries' roundings and edges are all that differs.
  const data = Uint8Array.from({ length: 3 * side * side }, (_, i) => {
    const [y, x] = [Math.floor(i / 3 / side), Math.floor(i / 3) % side];
    return Math.round(127 + 60 * Math.sin((5 * x) / side + (i % 3)) + 60 * Math.cos((4 * y) / side));
  });
  const given = bicubic({ width: side, height: side, data }, 224);
  const other = await sharp(data, { raw: { width: side, height: side, channels: 3 } })
    .resize(224, 224, { kernel: 'cubic' })
    .raw()
    .toBuffer();
  let worst = 0;
  for (let y = 6; y < 218; y++)
    for (let k = 18; k < 654; k++) worst = Math.max(worst, Math.abs(given.data[672 * y + k]! - other[672 * y + k]!));
  expect(worst).toBeLessThanOrEqual(2);
});
