/**
 * What the product computes on WebGPU, through ONNX Runtime's own WebGPU provider on the software Vulkan driver that
 * comes with Debian's chromium, against the CPU.
 */

import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import type { Transfers } from '../../src/engine/protocol.ts';
import { readLog } from '../support/run-log.ts';
import { tinyFlags } from '../support/tiny-flags.ts';
import { hasVulkan, VulkanProcess } from '../support/webgpu.ts';

const present = hasVulkan('the product on WebGPU');
/**
 * Milliseconds that a busy machine may take: to compile the kernels of a training step takes half a minute of an idle
 * one.
 */
vi.setConfig({ testTimeout: 1_200_000, hookTimeout: 1_200_000 });
const NOTHING = { tensors: 0, bytes: 0 };

interface Curve {
  readonly losses: readonly number[];
  /** Of all steps but the first. */
  readonly transfers: Transfers;
  /** Of the state's tensors, after all steps. */
  readonly locations: readonly string[];
}

interface Programs {
  readonly steps: number;
  /** Reverse steps. */
  readonly chain: number;
  readonly diffusion: { readonly [device in 'cpu' | 'webgpu']: Curve & { readonly ema: readonly number[] } };
  readonly tokenizer: { readonly [device in 'cpu' | 'webgpu']: Curve };
  readonly sampling: {
    readonly drawn: number;
    readonly differing: readonly { readonly index: number; readonly place: number; readonly edge: number }[];
    /** The largest difference of log p(x_0). */
    readonly farthest: number;
    /** Of all reverse steps but the first. */
    readonly transfers: Transfers;
  };
}

describe.skipIf(!present)('on WebGPU (software Vulkan)', () => {
  let gpu: VulkanProcess;
  beforeAll(() => {
    gpu = new VulkanProcess(fileURLToPath(new URL('sections.mjs', import.meta.url)));
  });
  // A process that has computed on the device ends by itself.
  afterAll(async () => expect(await gpu.end()).toBe(0));

  it('keeps uploaded state on the device, and takes the first of equal maxima', async () => {
    expect(await gpu.call('upload')).toEqual({
      before: ['cpu', 'cpu'],
      after: ['gpu-buffer', 'gpu-buffer'],
      later: ['gpu-buffer', 'gpu-buffer'],
      y: [6, 7, 11, 13],
      w: [1, 2, 3, 4],
      rows: [1, 2, 0],
      columns: [2, 0, 0],
    });
  });

  it('runs every operator of both trainings, reverse step and encoding on the device', async () => {
    // What `clipvq bench device --nodes` lists.
    const fallbacks = await gpu.call('fallbacks');
    expect(fallbacks).toEqual({ 'training step': [], 'reverse step': [], encode: [], 'tokenizer stage': [] });
  });

  describe('training and sampling as the product does them', () => {
    let result: Programs;
    beforeAll(async () => {
      result = await gpu.call<Programs>('programs');
    });

    /** Largest difference of two curves, over the loss at that step. */
    function apart({ cpu, webgpu }: Programs['tokenizer']): number {
      expect(cpu.losses).toHaveLength(result.steps);
      expect(cpu.losses.at(-1)).toBeLessThan(cpu.losses[0]!);
      return Math.max(...cpu.losses.map((loss, step) => Math.abs(webgpu.losses[step]! - loss) / Math.abs(loss)));
    }

    it('the diffusion model loses the same at every step', () => {
      // Measured: 2e-7, the rounding of float32.
      expect(apart(result.diffusion)).toBeLessThan(1e-5);
      const { cpu, webgpu } = result.diffusion;
      expect(Math.max(...cpu.ema.map(Math.abs))).toBeGreaterThan(1e-4);
      cpu.ema.forEach((value, i) => {
        expect(webgpu.ema[i]).toBeCloseTo(value, 5);
      });
    });

    it('the tokenizer loses the same at every step', () => {
      // Adam divides by the root of squared gradients: where those are next to nothing, rounding decides the sign of a
      // step, and grows. Measured: at most 5e-4 within 10 steps, 5e-3 after 50, while the loss falls to a third.
      expect(apart(result.tokenizer)).toBeLessThan(1e-3);
    });

    it('draws the same codes token by token, but where the uniform lies at an edge between two', () => {
      const { drawn, differing, farthest } = result.sampling;
      expect(drawn).toBe(result.chain * 2 * 16);
      // Measured: 4e-6 of log-probabilities between -70 and 0.
      expect(farthest).toBeLessThan(1e-3);
      for (const { edge } of differing) expect(edge).toBeLessThan(1e-4);
      expect(differing.length).toBeLessThan(drawn / 50);
    });

    it.each(['diffusion', 'tokenizer'] as const)(
      'moves the batch in and single numbers out in training (%s), whose state stays on the device',
      (model) => {
        const { cpu, webgpu } = result[model];
        expect(webgpu.locations.length).toBeGreaterThan(30);
        expect(new Set(webgpu.locations)).toEqual(new Set(['gpu-buffer']));
        expect(new Set(cpu.locations)).toEqual(new Set(['cpu']));
        const { feeds, stateIn, results, stateOut } = webgpu.transfers;
        expect({ stateIn, stateOut }).toEqual({ stateIn: NOTHING, stateOut: NOTHING });
        const steps = result.steps - 1;
        // As many tensors every step: a whole number of them.
        expect([feeds.tensors % steps, results.tensors % steps]).toEqual([0, 0]);
        expect(feeds.tensors / steps).toBeGreaterThanOrEqual(5);
        // At most 2 pictures of 3 kB and a Gumbel noise of 256 numbers for each of their 32 tokens; weights are 10
        // times that.
        expect(feeds.bytes / steps).toBeLessThan(40_000);
        expect(results.bytes / steps).toBeLessThan(2000);
        expect(cpu.transfers).toEqual({ feeds: NOTHING, stateIn: NOTHING, results: NOTHING, stateOut: NOTHING });
      },
    );

    it('moves tokens and conditions in and log-probabilities out in sampling', () => {
      const { feeds, stateIn, results, stateOut } = result.sampling.transfers;
      expect({ stateIn, stateOut }).toEqual({ stateIn: NOTHING, stateOut: NOTHING });
      // Steps of 2 pictures: the condition of 512 numbers, 16 tokens and a time each, and the scale.
      const steps = result.chain - 1;
      expect(feeds).toEqual({ tensors: steps * 4, bytes: steps * 4 * (2 * (512 + 16 + 1) + 1) });
      expect(results).toEqual({ tensors: steps, bytes: steps * 4 * 2 * 16 * 64 });
    });
  });

  describe('the command line with --device webgpu, against the same on the CPU', () => {
    const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'clipvq-webgpu-'));
    afterAll(() => fs.rmSync(folder, { recursive: true }));
    const at = (...parts: string[]) => path.join(folder, ...parts);
    const clipvq = (...args: string[]) => gpu.call<string>('command', ...args, '--json');

    beforeAll(async () => {
      // Wide enough for convolutions to be computed as those of the presets are; each phase of a stage in one step,
      // which begins with the weights that the one before has left. All pictures in one batch: the codes begin in one
      // run of the encoder then, which takes as long for one picture.
      const phases = { 'tokenizer.steps': 2, 'tokenizer.autoencoderFraction': 0.5, 'diffusion.steps': 2 };
      const wide = { 'tokenizer.channels': 32, 'tokenizer.batch': 8, images: 8, 'clip.batch': 4, 'sampling.steps': 2 };
      const tiny = tinyFlags({ ...phases, ...wide });
      for (const device of ['webgpu', 'cpu'])
        await clipvq('train', '--data', 'faces', '--run', at(device), '--device', device, ...tiny);
    });

    it('trains every stage through all its phases as the CPU does', () => {
      const [one, other] = [readLog(at('webgpu')), readLog(at('cpu'))];
      expect(one.map(({ stage, step }) => `${stage} ${step}`)).toEqual(
        other.map(({ stage, step }) => `${stage} ${step}`),
      );
      expect(one).toHaveLength(2 + 2 + 2);
      expect(one[2]).not.toHaveProperty('perplexity');
      expect(one[3]).toMatchObject({ perplexity: expect.any(Number), perceptual: expect.any(Number) });
      // Measured: 4e-6 of the loss.
      one.forEach(({ stage, step, loss }, i) => {
        expect(Math.abs(loss / other[i]!.loss - 1), `${stage} ${step}`).toBeLessThan(1e-3);
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
        const [one, other] = [await pixels('by-webgpu'), await pixels('by-cpu')];
        expect(Math.max(...other) - Math.min(...other)).toBeGreaterThan(10);
        expect(Math.max(...other.map((value, i) => Math.abs(value - one[i]!)))).toBeLessThanOrEqual(1);
      }
    });
  });
});
