/** `clipvq bench device --nodes` on the software Vulkan driver of Debian's chromium: nothing leaves the device that need not. */

import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import { hasVulkan, runOnVulkan } from '../support/webgpu.ts';

const present = hasVulkan('operators on WebGPU');
const main = fileURLToPath(new URL('../../dist/cli/main.js', import.meta.url));
const sizes = '--layers 1 --dim 32 --grid 4 --codes 64 --batch 2 --rounds 1'.split(' ');

it.skipIf(!present)('keeps uploaded state on the device, and takes the first of equal maxima', async () => {
  const script = fileURLToPath(new URL('upload.mjs', import.meta.url));
  expect(await runOnVulkan(script)).toEqual({
    before: ['cpu', 'cpu'],
    after: ['gpu-buffer', 'gpu-buffer'],
    later: ['gpu-buffer', 'gpu-buffer'],
    y: [6, 7, 11, 13],
    w: [1, 2, 3, 4],
    rows: [1, 2, 0],
    columns: [2, 0, 0],
  });
});

it.skipIf(!present)('runs every operator of both trainings, reverse step and encoding on the device', async () => {
  const args = [main, 'bench', 'device', '--nodes', '--json', '--threads', '1', ...sizes];
  const { results, recommended } = (await runOnVulkan(...args)) as {
    results: { device: string; fallbacks?: Record<string, { operator: string }[]> }[];
    recommended: string;
  };
  expect(['cpu', 'webgpu']).toContain(recommended);
  const { fallbacks } = results.find(({ device }) => device === 'webgpu')!;
  expect(fallbacks).toEqual({ 'training step': [], 'reverse step': [], encode: [], 'tokenizer stage': [] });
});
