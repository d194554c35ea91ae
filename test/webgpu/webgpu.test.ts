/**
 * The same tiny model trained on the CPU and on WebGPU, through ONNX Runtime's own WebGPU provider, on the software
 * Vulkan driver that comes with Debian's chromium: the losses must agree, and the state must stay on the device.
 */

import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { hasVulkan, runOnVulkan } from '../support/webgpu.ts';

const present = hasVulkan('training on WebGPU');

/** Losses are near 1.6; after 10 steps of rounding in another order they may differ by this much. */
const TOLERANCE = 1e-3;

interface Training {
  readonly losses: readonly number[];
  /** Of the state tensors after the first step. */
  readonly locations: Readonly<Record<string, string>>;
  readonly head: readonly number[];
}

const train = async (device: string) =>
  (await runOnVulkan(fileURLToPath(new URL('train.mjs', import.meta.url)), device)) as Training;

describe.skipIf(!present)('10 training steps on WebGPU (software Vulkan)', () => {
  it('lose what they lose on the CPU, with the state on the device', async () => {
    const [cpu, gpu] = [await train('cpu'), await train('webgpu')];

    expect(cpu.losses).toHaveLength(10);
    expect(cpu.losses.at(-1)).toBeLessThan(cpu.losses[0]! / 1.5);
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
