/**
 * The networks of FID and FD-DINOv2 against second implementations in PyTorch, with random weights in the layout in
 * which they are published: Inception v3 is torchvision's, at its full size.
 */

import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { pythonWith } from '../../../test/support/python.ts';
import type { RgbImage } from '../../data/pictures/image.ts';
import { integers } from '../../random/noise.ts';
import { openDinoV2 } from './dinov2.ts';
import { openInception } from './inception.ts';
import type { FeatureNetwork } from './network.ts';
import { bicubic } from './resize.ts';

const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'networks-'));
afterAll(() => fs.rmSync(folder, { recursive: true }));
const python = pythonWith(['torch', 'torchvision', 'PIL'], 'Inception v3 and DINOv2 beside those of PyTorch');

const SIDE = 64;
/** Smooth, with noise: neither is lost in resizing. */
const pictures = [0, 1].map((n): RgbImage => {
  const noise = integers({ seed: 5, stream: 'picture', step: n }, 0, 3 * SIDE * SIDE, 60);
  const at = (i: number) =>
    90 + 90 * Math.sin(Math.floor(i / 3 / SIDE) / (5 + n)) * Math.cos((i / 3) % SIDE) + noise[i]!;
  return {
    width: SIDE,
    height: SIDE,
    data: Uint8Array.from({ length: 3 * SIDE * SIDE }, (_, i) => Math.min(255, Math.max(0, Math.round(at(i))))),
  };
});
const planes = pictures.flatMap(({ data }) => [0, 1, 2].map((c) => data.filter((_, i) => i % 3 === c)));
fs.writeFileSync(path.join(folder, 'pictures.bin'), Buffer.concat(planes));

/** What PyTorch makes of the pictures, with weights that it leaves in `weights.pth`. */
function inPython(kind: 'inception' | 'dinov2') {
  const { status, stderr } = spawnSync(python!, ['test/reference/networks.py', kind, folder], { encoding: 'utf8' });
  expect(status, stderr).toBe(0);
  const bytes = (name: string) => new Uint8Array(fs.readFileSync(path.join(folder, `${name}.bin`)));
  return { bytes, floats: (name: string) => new Float32Array(bytes(name).buffer) };
}

/** The largest difference, as a part of how much the expected values spread. */
function difference(given: Float32Array, expected: Float32Array): number {
  expect(given.length).toBe(expected.length);
  const mean = expected.reduce((a, b) => a + b, 0) / expected.length;
  const spread = Math.sqrt(expected.reduce((sum, x) => sum + (x - mean) ** 2, 0) / expected.length);
  expect(spread).toBeGreaterThan(0);
  return expected.reduce((most, x, i) => Math.max(most, Math.abs(given[i]! - x)), 0) / spread;
}

async function featuresOf(network: FeatureNetwork) {
  try {
    return await network.features(pictures);
  } finally {
    await network.close();
  }
}
const file = path.join(folder, 'weights.pth');

it.skipIf(python === undefined)('Inception v3 has the features and logits of torchvision within 1e-4', async () => {
  const { floats } = inPython('inception');
  const { rows, logits } = await featuresOf(await openInception({ threads: 2 }, { file }));
  const found = [difference(rows, floats('features')), difference(logits!, floats('logits'))];
  for (const one of found) expect(one, `${found}`).toBeLessThan(1e-4);
});

it.skipIf(python === undefined)(
  'DINOv2 has the class tokens of PyTorch within 1e-4, of what Pillow resizes',
  async () => {
    const { bytes, floats } = inPython('dinov2');
    for (const [name, side] of [
      ['resized', 224],
      ['smaller', 40],
    ] as const)
      expect(Buffer.concat(pictures.map((picture) => bicubic(picture, side).data)).equals(bytes(name)), name).toBe(
        true,
      );
    const { rows } = await featuresOf(await openDinoV2({ threads: 2 }, { file }));
    expect(difference(rows, floats('features'))).toBeLessThan(1e-4);
  },
);
