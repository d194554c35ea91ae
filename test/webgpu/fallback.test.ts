/** `clipvq bench device --nodes` on the software Vulkan driver of Debian's chromium: nothing inside the transformer's loops leaves the device. */

import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect, it } from 'vitest';

const ICD = process.env.VK_ICD_FILENAMES ?? '/usr/lib/chromium/vk_swiftshader_icd.json';
const main = fileURLToPath(new URL('../../dist/cli/main.js', import.meta.url));
const sizes = '--layers 1 --dim 32 --grid 4 --codes 64 --batch 2 --rounds 1'.split(' ');

it.skipIf(!existsSync(ICD))('runs every operator of a training step and of a reverse step on the device', async () => {
  const libraries = [path.dirname(ICD), process.env.LD_LIBRARY_PATH].filter(Boolean).join(':');
  const env = { ...process.env, VK_ICD_FILENAMES: ICD, LD_LIBRARY_PATH: libraries };
  const args = [main, 'bench', 'device', '--nodes', '--json', '--threads', '1', ...sizes];
  const { stdout } = await promisify(execFile)(process.execPath, args, { env });
  const { results, recommended } = JSON.parse(stdout) as {
    results: { device: string; fallbacks?: Record<string, { operator: string }[]> }[];
    recommended: string;
  };
  expect(['cpu', 'webgpu']).toContain(recommended);
  const { fallbacks } = results.find(({ device }) => device === 'webgpu')!;
  expect(fallbacks).toMatchObject({ 'training step': [], 'reverse step': [] });
  // ArgMax answers in int64, which no device narrows: once a picture, outside every loop.
  expect(new Set(fallbacks!.encode!.map(({ operator }) => operator))).toEqual(new Set(['Cast']));
});
