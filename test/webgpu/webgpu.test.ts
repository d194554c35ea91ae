/**
 * The same tiny model trained on the CPU and on WebGPU, through ONNX Runtime's own WebGPU provider, on the software Vulkan driver that
 * comes with Debian's chromium: the losses must agree, and the state must stay on the device.
 */

import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';

const ICD = process.env.VK_ICD_FILENAMES ?? '/usr/lib/chromium/vk_swiftshader_icd.json';
const present = existsSync(ICD);
if (!present)
  console.warn('SKIPPED: training on WebGPU, because no Vulkan driver was found (Debian: apt-get install chromium)');

/** Losses are near 1.6; after 20 steps of rounding in another order they may differ by this much. */
const TOLERANCE = 1e-3;

interface Training {
  readonly losses: readonly number[];
  /** Of the state tensors after the first step. */
  readonly locations: Readonly<Record<string, string>>;
  readonly head: readonly number[];
}

async function train(device: string): Promise<Training> {
  const script = fileURLToPath(new URL('train.mjs', import.meta.url));
  // The folder of the driver also holds the Vulkan loader.
  const libraries = [path.dirname(ICD), process.env.LD_LIBRARY_PATH].filter(Boolean).join(':');
  const env = { ...process.env, VK_ICD_FILENAMES: ICD, LD_LIBRARY_PATH: libraries };
  const { stdout } = await promisify(execFile)(process.execPath, [script, device], { env });
  return JSON.parse(stdout) as Training;
}

describe.skipIf(!present)('20 training steps on WebGPU (software Vulkan)', () => {
  it('lose what they lose on the CPU, with the state on the device', async () => {
    const [cpu, gpu] = [await train('cpu'), await train('webgpu')];

    expect(cpu.losses).toHaveLength(20);
    expect(cpu.losses.at(-1)).toBeLessThan(cpu.losses[0]! / 2);
    cpu.losses.forEach((loss, step) => {
      expect(Math.abs(gpu.losses[step]! - loss), `step ${step}`).toBeLessThan(TOLERANCE);
    });

    const locations = Object.values(gpu.locations);
    expect(locations.length).toBeGreaterThan(30);
    expect(new Set(locations)).toEqual(new Set(['gpu-buffer']));
    expect(new Set(Object.values(cpu.locations))).toEqual(new Set(['cpu']));

    // What is read back from the device is what training left there.
    gpu.head.forEach((value, i) => {
      expect(value).toBeCloseTo(cpu.head[i]!, 3);
    });
  });
});
