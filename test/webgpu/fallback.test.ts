/**
 * What `clipvq bench device --nodes` lists, on the software Vulkan driver of Debian's chromium: nothing leaves the
 * device that need not.
 */

import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import { hasVulkan, runOnVulkan } from '../support/webgpu.ts';

const present = hasVulkan('operators on WebGPU');

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
  const fallbacks = await runOnVulkan(fileURLToPath(new URL('fallbacks.mjs', import.meta.url)));
  expect(fallbacks).toEqual({ 'training step': [], 'reverse step': [], encode: [], 'tokenizer stage': [] });
});
