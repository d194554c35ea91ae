/**
 * The Inception network against its published size, against a second implementation in plain loops, and fetched from a
 * server. The published weights themselves are not looked at here.
 */

import { createHash } from 'node:crypto';
import fs from 'node:fs';
import http from 'node:http';
import os from 'node:os';
import path from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { listenOnLoopback } from '../../../test/support/loopback.ts';
import { float32, type NDArray, sizeOf } from '../../base/ndarray.ts';
import { writeSafetensors } from '../../checkpoint/safetensors.ts';
import { writeTorch } from '../../checkpoint/torch/write.ts';
import type { RgbImage } from '../../data/pictures/image.ts';
import { integers, normals, uniforms } from '../../random/noise.ts';
import { inceptionParameters, openInception } from './inception.ts';
import { type ConvOptions, inceptionFeatures } from './inception-layers.ts';

const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'inception-'));
const server = http.createServer((_, response) => response.end(fs.readFileSync(path.join(folder, 'thin.pth'))));
afterAll(() => {
  server.close();
  fs.rmSync(folder, { recursive: true });
});

/** A sixteenth of the channels. */
const THINNER = 16;
const weights: Record<string, NDArray<'float32'>> = Object.fromEntries(
  Object.entries(inceptionParameters(THINNER)).map(([name, { shape }]) => {
    const key = { seed: 1, stream: name, step: 0 };
    const count = sizeOf(shape);
    const fanIn = shape.slice(1).reduce((a, b) => a * b, 1);
    const values = name.endsWith('running_var')
      ? uniforms(key, 0, count).map((x) => 0.5 + x)
      : normals(key, 0, count).map((x) => (name.endsWith('bn.weight') ? 1 + x / 4 : x * Math.sqrt(2 / fanIn)));
    return [name, float32(Float32Array.from(values), shape)];
  }),
);
const SIDE = 24;
const picture: RgbImage = {
  width: SIDE,
  height: SIDE,
  data: Uint8Array.from(integers({ seed: 2, stream: 'picture', step: 0 }, 0, 3 * SIDE * SIDE, 256)),
};

interface Planes {
  readonly channels: number;
  readonly side: number;
  readonly at: (c: number, y: number, x: number) => number;
}
const planes = (channels: number, side: number, value: (c: number, y: number, x: number) => number): Planes => {
  const data = Float64Array.from({ length: channels * side * side }, (_, i) =>
    value(Math.floor(i / side / side), Math.floor(i / side) % side, i % side),
  );
  return { channels, side, at: (c, y, x) => data[(c * side + y) * side + x]! };
};

/** Plain loops in float64, from what each layer means. */
const naive = {
  conv(name: string, x: Planes, to: number, [height, width]: readonly [number, number], options: ConvOptions = {}) {
    const { stride = 1, pads: [rows, columns] = [0, 0] } = options;
    const kernel = weights[`${name}.conv.weight`]!.data;
    const ofNorm = (part: string) => weights[`${name}.bn.${part}`]!.data;
    const [mean, variance] = [ofNorm('running_mean'), ofNorm('running_var')];
    const [weight, bias] = [ofNorm('weight'), ofNorm('bias')];
    const side = Math.floor((x.side + 2 * rows - height) / stride) + 1;
    return planes(to, side, (o, i, j) => {
      let sum = 0;
      for (let c = 0; c < x.channels; c++)
        for (let p = 0; p < height; p++)
          for (let q = 0; q < width; q++) {
            const [y, z] = [i * stride + p - rows, j * stride + q - columns];
            if (y >= 0 && z >= 0 && y < x.side && z < x.side)
              sum += kernel[((o * x.channels + c) * height + p) * width + q]! * x.at(c, y, z);
          }
      const standard = (sum - mean[o]!) / Math.sqrt(variance[o]! + 0.001);
      return Math.max(0, standard * weight[o]! + bias[o]!);
    });
  },
  window(x: Planes, c: number, top: number, left: number) {
    const values: number[] = [];
    for (let y = top; y < top + 3; y++)
      for (let z = left; z < left + 3; z++)
        if (y >= 0 && z >= 0 && y < x.side && z < x.side) values.push(x.at(c, y, z));
    return values;
  },
  maxPool: (x: Planes, stride: 1 | 2) =>
    stride === 1
      ? planes(x.channels, x.side, (c, i, j) => Math.max(...naive.window(x, c, i - 1, j - 1)))
      : planes(x.channels, Math.floor((x.side - 3) / 2) + 1, (c, i, j) =>
          Math.max(...naive.window(x, c, 2 * i, 2 * j)),
        ),
  averagePool: (x: Planes) =>
    planes(x.channels, x.side, (c, i, j) => {
      const values = naive.window(x, c, i - 1, j - 1);
      return values.reduce((a, b) => a + b, 0) / values.length;
    }),
  concat(parts: readonly Planes[]) {
    const owners = parts.flatMap((part) => Array.from({ length: part.channels }, (_, c) => ({ part, c })));
    return planes(owners.length, parts[0]!.side, (c, y, x) => owners[c]!.part.at(owners[c]!.c, y, x));
  },
};

it('has as many numbers as the published network', () => {
  const sizes = Object.entries(inceptionParameters()).map(([name, { shape }]) => [name, sizeOf(shape)] as const);
  const total = (is: RegExp) => sizes.filter(([name]) => is.test(name)).reduce((sum, [, size]) => sum + size, 0);
  // torchvision's 27,161,264 without its auxiliary classifier (3,326,696) and with 1008 classes for 1000; the bias is
  // left out.
  expect(total(/conv\.weight|bn\.(weight|bias)|fc/)).toBe(27_161_264 - 3_326_696 + 8 * 2049 - 1008);
  expect(total(/running_mean/)).toBe(17_216);
});

it('computes what plain loops compute, from a file that was fetched once', async () => {
  const file = path.join(folder, 'thin.pth');
  writeTorch(file, new Map([...Object.entries(weights), ['fc.bias', float32(new Float32Array(1008), [1008])]]));
  const bytes = fs.readFileSync(file);
  const url = `${await listenOnLoopback(server)}/thin.pth`;
  const published = { url, sha256: createHash('sha256').update(bytes).digest('hex'), bytes: bytes.length };
  const cache = path.join(folder, 'cache');
  await expect(openInception({}, { published, cache, offline: true })).rejects.toThrow(/lacks thin\.pth/);
  const network = await openInception({ threads: 2 }, { published, cache, thinner: THINNER });
  try {
    server.close();
    const { rows, logits } = await network.features([picture, picture]);
    const scaled = planes(3, 299, (c, i, j) => {
      const at = (place: number) => Math.min(SIDE - 1, Math.max(0, ((place + 0.5) * SIDE) / 299 - 0.5));
      const [y, x] = [at(i), at(j)];
      const [top, left] = [Math.floor(y), Math.floor(x)];
      const value = (p: number, q: number) =>
        picture.data[3 * (Math.min(SIDE - 1, p) * SIDE + Math.min(SIDE - 1, q)) + c]! / 255;
      const row = (p: number) => value(p, left) * (1 - (x - left)) + value(p, left + 1) * (x - left);
      return 2 * (row(top) * (1 - (y - top)) + row(top + 1) * (y - top)) - 1;
    });
    const last = inceptionFeatures<Planes>(naive, scaled, THINNER);
    const expected = Array.from({ length: 2048 / THINNER }, (_, c) => {
      let sum = 0;
      for (let y = 0; y < last.side; y++) for (let x = 0; x < last.side; x++) sum += last.at(c, y, x);
      return sum / last.side ** 2;
    });
    expect([network.dim, last.side, rows.length, logits!.length]).toEqual([128, 8, 256, 2016]);
    const largest = Math.max(...expected);
    expected.forEach((value, c) => {
      expect(Math.abs(rows[c]! - value) / largest).toBeLessThan(1e-4);
      expect(rows[128 + c]).toBe(rows[c]);
    });
    const logit = expected.reduce((sum, value, c) => sum + value * weights['fc.weight']!.data[7 * 128 + c]!, 0);
    expect(Math.abs(logits![7]! - logit) / Math.abs(largest)).toBeLessThan(1e-3);
  } finally {
    await network.close();
  }
  const again = await openInception({}, { published, cache, thinner: THINNER, offline: true });
  await again.close();
  const foreign = path.join(folder, 'foreign.safetensors');
  writeSafetensors(foreign, { x: float32([1], [1]) }, {});
  await expect(openInception({}, { file: foreign })).rejects.toThrow(/foreign\.safetensors lacks the parameter/);
});
