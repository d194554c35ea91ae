/** `clipvq bench device --nodes` on the software Vulkan driver of Debian's chromium: nothing leaves the device that need not. */

import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect, it } from 'vitest';

const ICD = process.env.VK_ICD_FILENAMES ?? '/usr/lib/chromium/vk_swiftshader_icd.json';
const main = fileURLToPath(new URL('../../dist/cli/main.js', import.meta.url));
const sizes = '--layers 1 --dim 32 --grid 4 --codes 64 --batch 2 --rounds 1'.split(' ');

const libraries = [path.dirname(ICD), process.env.LD_LIBRARY_PATH].filter(Boolean).join(':');
const env = { ...process.env, VK_ICD_FILENAMES: ICD, LD_LIBRARY_PATH: libraries };

it.skipIf(!existsSync(ICD))('keeps uploaded state on the device, and takes the first of equal maxima', async () => {
  const script = fileURLToPath(new URL('upload.mjs', import.meta.url));
  const { stdout } = await promisify(execFile)(process.execPath, [script], { env });
  expect(JSON.parse(stdout)).toEqual({
    before: ['cpu', 'cpu'],
    after: ['gpu-buffer', 'gpu-buffer'],
    later: ['gpu-buffer', 'gpu-buffer'],
    y: [6, 7, 11, 13],
    w: [1, 2, 3, 4],
    rows: [1, 2, 0],
    columns: [2, 0, 0],
  });
});

it.skipIf(!existsSync(ICD))('runs every operator of training, reverse step and encoding on the device', async () => {
  const args = [main, 'bench', 'device', '--nodes', '--json', '--threads', '1', ...sizes];
  const { stdout } = await promisify(execFile)(process.execPath, args, { env });
  const { results, recommended } = JSON.parse(stdout) as {
    results: { device: string; fallbacks?: Record<string, { operator: string }[]> }[];
    recommended: string;
  };
  expect(['cpu', 'webgpu']).toContain(recommended);
  const { fallbacks } = results.find(({ device }) => device === 'webgpu')!;
  expect(fallbacks).toEqual({ 'training step': [], 'reverse step': [], encode: [] });
});
