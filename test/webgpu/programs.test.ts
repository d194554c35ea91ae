/**
 * Training and sampling as the product does them, on WebGPU (the software Vulkan driver of Debian's chromium) against
 * the CPU.
 */

import { fileURLToPath } from 'node:url';
import { beforeAll, describe, expect, it } from 'vitest';
import type { Transfers } from '../../src/engine/protocol.ts';
import { hasVulkan, runOnVulkan } from '../support/webgpu.ts';

const present = hasVulkan('the programs on WebGPU');

interface Curve {
  readonly losses: readonly number[];
  /** Of all steps but the first. */
  readonly transfers: Transfers;
}

interface Result {
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

/** What 50 steps show, 8 show: rounding grows from step to step (docs/performance.md has the numbers of 50). */
const STEPS = 8;
const NOTHING = { tensors: 0, bytes: 0 };

describe.skipIf(!present)('on WebGPU (software Vulkan)', () => {
  let result: Result;

  beforeAll(async () => {
    result = (await runOnVulkan(fileURLToPath(new URL('programs.mjs', import.meta.url)))) as Result;
  }, 600_000);

  /** Largest difference of two curves over the first steps, over the loss at that step. */
  function apart({ cpu, webgpu }: Result['tokenizer'], steps: number): number {
    expect(cpu.losses).toHaveLength(STEPS);
    expect(cpu.losses.at(-1)).toBeLessThan(cpu.losses[0]!);
    return Math.max(
      ...cpu.losses.slice(0, steps).map((loss, step) => Math.abs(webgpu.losses[step]! - loss) / Math.abs(loss)),
    );
  }

  it('the diffusion model loses the same at every step', () => {
    // Measured: 2e-7, the rounding of float32.
    expect(apart(result.diffusion, STEPS)).toBeLessThan(1e-5);
    const { cpu, webgpu } = result.diffusion;
    expect(Math.max(...cpu.ema.map(Math.abs))).toBeGreaterThan(1e-3);
    cpu.ema.forEach((value, i) => {
      expect(webgpu.ema[i]).toBeCloseTo(value, 5);
    });
  });

  it('the tokenizer loses the same at every step', () => {
    // Adam divides by the root of squared gradients: where those are next to nothing, rounding decides the sign of a
    // step, and grows. Measured: 5e-4 after 10 steps, 5e-3 after 50, while the loss falls to a third.
    expect(apart(result.tokenizer, STEPS)).toBeLessThan(3e-3);
  });

  it('draws the same codes token by token, but where the uniform lies at an edge between two', () => {
    const { drawn, differing, farthest } = result.sampling;
    expect(drawn).toBe(6 * 2 * 16);
    // Measured: 4e-6 of log-probabilities between -70 and 0.
    expect(farthest).toBeLessThan(1e-3);
    for (const { edge } of differing) expect(edge).toBeLessThan(1e-4);
    expect(differing.length).toBeLessThan(drawn / 50);
  });

  it.each(['diffusion', 'tokenizer'] as const)(
    'moves the batch in and single numbers out in training (%s)',
    (model) => {
      const { cpu, webgpu } = result[model];
      const { feeds, stateIn, results, stateOut } = webgpu.transfers;
      expect({ stateIn, stateOut }).toEqual({ stateIn: NOTHING, stateOut: NOTHING });
      const steps = STEPS - 1;
      // As many tensors every step: a whole number of them.
      expect([feeds.tensors % steps, results.tensors % steps]).toEqual([0, 0]);
      expect(feeds.tensors / steps).toBeGreaterThanOrEqual(5);
      expect(feeds.bytes / steps).toBeLessThan(20_000);
      expect(results.bytes / steps).toBeLessThan(2000);
      expect(cpu.transfers).toEqual({ feeds: NOTHING, stateIn: NOTHING, results: NOTHING, stateOut: NOTHING });
    },
  );

  it('moves tokens and conditions in and log-probabilities out in sampling', () => {
    const { feeds, stateIn, results, stateOut } = result.sampling.transfers;
    expect({ stateIn, stateOut }).toEqual({ stateIn: NOTHING, stateOut: NOTHING });
    // 5 steps of 2 pictures: the condition of 512 numbers, 16 tokens and a time each, and the scale.
    expect(feeds).toEqual({ tensors: 5 * 4, bytes: 5 * 4 * (2 * (512 + 16 + 1) + 1) });
    expect(results).toEqual({ tensors: 5, bytes: 5 * 4 * 2 * 16 * 64 });
  });
});
