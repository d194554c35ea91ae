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
const length = (values: readonly number[]) => Math.hypot(...values);
const apart = (one: readonly number[], other: readonly number[]) => length(one.map((value, i) => value - other[i]!));

interface Training {
  /** Of all steps whose state lies on the device before. */
  readonly transfers: Transfers;
  /** Of the state's tensors, after all steps. */
  readonly locations: readonly string[];
}

type Numbers = Readonly<Record<string, readonly number[]>>;
type OnBoth<T> = { readonly [device in 'cpu' | 'webgpu']: T };

interface Programs {
  /** Of the diffusion model, the first of which brings its state to the device. */
  readonly steps: number;
  /** Reverse steps. */
  readonly chain: number;
  readonly diffusion: OnBoth<Training & { readonly losses: readonly number[]; readonly ema: readonly number[] }>;
  readonly tokenizer: OnBoth<
    Training & {
      readonly metrics: Readonly<Record<string, number>>;
      readonly gradients: Numbers;
      readonly discriminator: Numbers;
    }
  >;
  /** Codes. */
  readonly encode: OnBoth<readonly number[]>;
  readonly sampling: {
    readonly drawn: number;
    readonly differing: readonly { readonly index: number; readonly place: number; readonly edge: number }[];
    /** The largest difference of log p(x_0). */
    readonly farthest: number;
    /** Of all reverse steps but the first. */
    readonly transfers: Transfers;
  };
  /** Operators of the work that ran on the CPU although WebGPU was named: what `clipvq bench device --nodes` lists. */
  readonly fallbacks: Readonly<Record<string, readonly unknown[]>>;
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

  describe('training and sampling as the product does them', () => {
    let result: Programs;
    beforeAll(async () => {
      result = await gpu.call<Programs>('programs');
    });

    it('runs every operator of both trainings, reverse step and encoding on the device', () => {
      const none = { 'training step': [], 'reverse step': [], encode: [], 'tokenizer stage': [] };
      expect(result.fallbacks).toEqual(none);
    });

    it('the diffusion model loses the same at every step', () => {
      const { cpu, webgpu } = result.diffusion;
      expect(cpu.losses).toHaveLength(result.steps);
      expect(cpu.losses.at(-1)).toBeLessThan(cpu.losses[0]!);
      // Measured: 2e-7, the rounding of float32.
      cpu.losses.forEach((loss, step) => {
        expect(Math.abs(webgpu.losses[step]! / loss - 1)).toBeLessThan(1e-5);
      });
      // From zeros. Measured: 9e-7 of it.
      expect(length(cpu.ema)).toBeGreaterThan(1e-5);
      expect(apart(cpu.ema, webgpu.ema)).toBeLessThan(1e-3 * length(cpu.ema));
    });

    it('the tokenizer of two resolutions loses the same under its whole loss, and has the same gradients', () => {
      const { cpu, webgpu } = result.tokenizer;
      expect(cpu.metrics).toMatchObject({ perceptual: expect.any(Number), adaptiveWeight: expect.any(Number) });
      // Measured: 5e-6.
      for (const [name, value] of Object.entries(cpu.metrics))
        expect(Math.abs(webgpu.metrics[name]! / value - 1), name).toBeLessThan(1e-3);
      for (const model of ['gradients', 'discriminator'] as const) {
        const whole = length(Object.values(cpu[model]).map(length));
        expect(whole).toBeGreaterThan(0.01);
        // Measured: 3e-5 of the gradient.
        for (const [name, gradient] of Object.entries(cpu[model]))
          expect(apart(gradient, webgpu[model][name]!), name).toBeLessThan(1e-3 * length(gradient) + 1e-6 * whole);
      }
    });

    it('encodes pictures as the same codes', () => {
      const { cpu, webgpu } = result.encode;
      expect(cpu).toHaveLength(4 * 4);
      expect(webgpu).toEqual(cpu);
    });

    it('draws the same codes token by token, but where the uniform lies at an edge between two', () => {
      const { drawn, differing, farthest } = result.sampling;
      expect(drawn).toBe(result.chain * 4 * 16);
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
        const steps = model === 'tokenizer' ? 1 : result.steps - 1;
        // As many tensors every step: a whole number of them.
        expect([feeds.tensors % steps, results.tensors % steps]).toEqual([0, 0]);
        expect(feeds.tensors / steps).toBeGreaterThanOrEqual(5);
        // At most 4 pictures of 3 kB and a Gumbel noise of 256 numbers for each of their 16 tokens; weights are 10
        // times that.
        expect(feeds.bytes / steps).toBeLessThan(40_000);
        expect(results.bytes / steps).toBeLessThan(2000);
        expect(cpu.transfers).toEqual({ feeds: NOTHING, stateIn: NOTHING, results: NOTHING, stateOut: NOTHING });
      },
    );

    it('moves tokens and conditions in and log-probabilities out in sampling', () => {
      const { feeds, stateIn, results, stateOut } = result.sampling.transfers;
      expect({ stateIn, stateOut }).toEqual({ stateIn: NOTHING, stateOut: NOTHING });
      // Steps of 4 pictures: the condition of 512 numbers, 16 tokens and a time each, and the scale.
      const steps = result.chain - 1;
      expect(feeds).toEqual({ tensors: steps * 4, bytes: steps * 4 * (4 * (512 + 16 + 1) + 1) });
      expect(results).toEqual({ tensors: steps, bytes: steps * 4 * 4 * 16 * 64 });
    });
  });

  describe('the command line with --device webgpu, against the same on the CPU', () => {
    const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'clipvq-webgpu-'));
    afterAll(() => fs.rmSync(folder, { recursive: true }));
    const at = (...parts: string[]) => path.join(folder, ...parts);
    const clipvq = (...args: string[]) => gpu.call<string>('command', ...args, '--json');

    beforeAll(async () => {
      // Each phase of a stage in one step, which begins with the weights that the one before has left. One resolution,
      // and one step of the diffusion model: `programs.mjs` has two of both, and convolutions that are wide enough to
      // be computed as those of the presets are. These are by the definition.
      const phases = { 'tokenizer.steps': 2, 'tokenizer.autoencoderFraction': 0.5, 'diffusion.steps': 1 };
      const small = { 'tokenizer.channelMultipliers': '[1]', 'sampling.steps': 2 };
      // All pictures in one batch: the codes begin in one run of the encoder then.
      const batches = { images: 4, 'clip.batch': 4, 'tokenizer.batch': 4, 'diffusion.batch': 4 };
      const tiny = tinyFlags({ ...phases, ...small, ...batches });
      for (const device of ['webgpu', 'cpu'])
        await clipvq('train', '--data', 'faces', '--run', at(device), '--device', device, ...tiny);
    });

    it('trains every stage through all its phases as the CPU does', () => {
      const [one, other] = [readLog(at('webgpu')), readLog(at('cpu'))];
      expect(one.map(({ stage, step }) => `${stage} ${step}`)).toEqual(
        other.map(({ stage, step }) => `${stage} ${step}`),
      );
      expect(one).toHaveLength(2 + 2 + 1);
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
          ...['generate', 'a red hat', '-n', '4', '--model', at('webgpu')],
          ...['--device', device, '--out', at(`by-${device}`)],
        );
      const names = fs.readdirSync(at('by-cpu'));
      expect(names).toHaveLength(4);
      for (const name of names) {
        const pixels = async (by: string) => [...(await sharp(at(by, name)).raw().toBuffer())];
        const [one, other] = [await pixels('by-webgpu'), await pixels('by-cpu')];
        expect(Math.max(...other) - Math.min(...other)).toBeGreaterThan(10);
        expect(Math.max(...other.map((value, i) => Math.abs(value - one[i]!)))).toBeLessThanOrEqual(1);
      }
    });
  });
});
