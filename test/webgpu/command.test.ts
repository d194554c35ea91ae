/**
 * The command line with --device webgpu (the software Vulkan driver of Debian's chromium) against the same on the CPU:
 * all stages, and pictures.
 */

import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readLog } from '../support/run-log.ts';
import { hasVulkan, runOnVulkan } from '../support/webgpu.ts';

const present = hasVulkan('the command line on WebGPU');
const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'clipvq-webgpu-'));
afterAll(() => fs.rmSync(folder, { recursive: true }));
const at = (...parts: string[]) => path.join(folder, ...parts);

/** Small, but through every phase: an autoencoder first, codes then, seen through the CLIP. */
const TINY = [
  'imageSize=16',
  'images=24',
  'clip.imageSize=16',
  'clip.dim=16',
  'clip.textWidth=16',
  'clip.textHidden=16',
  'clip.pairs=60',
  'clip.steps=2',
  'clip.batch=8',
  'clip.imageChannels=8',
  'clip.vocabulary=400',
  'tokenizer.steps=6',
  'tokenizer.batch=2',
  'tokenizer.channels=32',
  'tokenizer.codes=16',
  'diffusion.steps=4',
  'diffusion.batch=2',
  'diffusion.layers=1',
  'diffusion.dim=32',
  'diffusion.heads=2',
  'sampling.steps=4',
].flatMap((setting) => ['--set', setting]);

const clipvq = (...args: string[]): Promise<unknown> =>
  runOnVulkan(path.resolve('dist/cli/main.js'), ...args, '--json');

describe.skipIf(!present)('--device webgpu (software Vulkan)', () => {
  beforeAll(async () => {
    for (const device of ['webgpu', 'cpu'])
      await clipvq('train', '--data', 'faces', '--run', at(device), '--device', device, ...TINY);
  }, 300_000);

  it('trains every stage through all its phases as the CPU does', () => {
    const [gpu, cpu] = [readLog(at('webgpu')), readLog(at('cpu'))];
    expect(gpu.map(({ stage, step }) => `${stage} ${step}`)).toEqual(cpu.map(({ stage, step }) => `${stage} ${step}`));
    expect(gpu).toHaveLength(2 + 6 + 4);
    // Measured: 4e-6 of the loss.
    gpu.forEach(({ stage, step, loss }, i) => {
      expect(Math.abs(loss / cpu[i]!.loss - 1), `${stage} ${step}`).toBeLessThan(1e-3);
    });
  });

  it('draws the same pictures', async () => {
    for (const device of ['webgpu', 'cpu'])
      await clipvq(
        ...['generate', 'a red hat', '-n', '2', '--model', at('webgpu')],
        ...['--device', device, '--out', at(`by-${device}`)],
      );
    const names = fs.readdirSync(at('by-cpu'));
    expect(names).toHaveLength(2);
    for (const name of names) {
      const pixels = async (by: string) => [...(await sharp(at(by, name)).raw().toBuffer())];
      const [gpu, cpu] = [await pixels('by-webgpu'), await pixels('by-cpu')];
      expect(Math.max(...cpu) - Math.min(...cpu)).toBeGreaterThan(10);
      expect(Math.max(...cpu.map((value, i) => Math.abs(value - gpu[i]!)))).toBeLessThanOrEqual(1);
    }
  }, 300_000);
});
