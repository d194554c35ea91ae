/**
 * Samplers against exact enumeration of the chain, and the promises of the interface: seeds, batches, strides, aborts.
 */
import { describe, expect, it } from 'vitest';
import { chiSquareZ } from '../../../test/support/chi-square.ts';
import { truncatedRow } from '../../../test/support/prediction-rows.ts';
import { UserError } from '../../base/errors.ts';
import { reverseProbabilities, reverseStep } from '../process/reverse.ts';
import { maskReplaceSchedule } from '../process/schedule.ts';
import { ancestral } from './ancestral.ts';
import { reverseChain, reverseTimes } from './chain.ts';
import { reference, referenceDraw } from './reference.ts';
import type { Denoiser, SamplerOptions, SamplerProgress } from './sampler.ts';

/** Replacement is common here, so that revision of visible codes matters. */
const schedule = maskReplaceSchedule({ steps: 6, codes: 3, alphaBarEnd: 0.02, gammaBarEnd: 0.9 });
/**
 * Where chains start: the reference from masks alone; ours from the prior, in which (1 − 0.02 − 0.9) of the mass was
 * spread over codes.
 */
const prior = [0.08 / 3, 0.08 / 3, 0.08 / 3, 0.9].map((p) => p / 0.98);
const samplers = {
  ancestral: { sampler: ancestral, start: prior },
  reference: { sampler: reference, start: [0, 0, 0, 1] },
};

describe.each(Object.entries(samplers))('%s', (_, { sampler, start }) => {
  const distributionCases = [
    { steps: 6, truncation: undefined },
    { steps: 4, truncation: undefined },
    { steps: 6, truncation: 0.7 },
    { steps: 1, truncation: undefined },
  ];

  it.each(distributionCases)(
    'draws x_0 as the enumerated chain does: $steps steps, truncation $truncation',
    async (c) => {
      const { steps, truncation } = c;
      const batch = 20_000;
      const drawn = await sampler(tableDenoiser, optionsFor({ batch, tokens: 1, steps, truncation }));
      const counts = new Float64Array(schedule.codes);
      for (const code of drawn) counts[code] = counts[code]! + 1;
      expect(chiSquareZ(counts, enumerate(steps, truncation, start))).toBeLessThan(4.5);
    },
  );

  it('does not let a sample depend on its batch mates', async () => {
    const together = await sampler(tableDenoiser, optionsFor({ samples: [4, 7, 9], tokens: 16 }));
    const alone = await sampler(tableDenoiser, optionsFor({ samples: [7], tokens: 16 }));
    expect([...together.subarray(16, 32)]).toEqual([...alone]);
    expect([...together.subarray(0, 16)]).not.toEqual([...alone]);
  });

  it('repeats itself for a seed and differs for another', async () => {
    const draw = (seed: number) => sampler(tableDenoiser, optionsFor({ samples: [0, 1], tokens: 16, seed }));
    expect(await draw(1)).toEqual(await draw(1));
    expect(await draw(1)).not.toEqual(await draw(2));
  });

  it('follows a certain denoiser', async () => {
    const target = Int32Array.of(0, 1, 2, 2, 1, 0, 1, 1);
    const certain: Denoiser = async () => oneHot(target);
    expect(await sampler(certain, optionsFor({ samples: [3, 5], tokens: 4 }))).toEqual(target);
  });

  it('reports every step, down to no mask', async () => {
    const seen: SamplerProgress[] = [];
    const times: number[] = [];
    const denoise: Denoiser = (tokens, t) => {
      times.push(t);
      return tableDenoiser(tokens, t);
    };
    const options = optionsFor({ samples: [0], tokens: 9, steps: 4 });
    const drawn = await sampler(denoise, { ...options, onStep: (progress) => seen.push(progress) });
    const visited = [...reverseTimes(schedule.steps, 4)];
    expect(times).toEqual(visited.slice(0, -1));
    expect(seen.map((p) => p.time)).toEqual(visited.slice(1));
    expect(seen.map((p) => p.step)).toEqual([1, 2, 3, 4]);
    expect(seen.at(-1)!.tokens).toEqual(drawn);
    expect(drawn.every((code) => code >= 0 && code < schedule.codes)).toBe(true);
  });

  it('starts from its prior', async () => {
    const counts = new Float64Array(schedule.codes + 1);
    const denoise: Denoiser = (tokens, t) => {
      for (const token of tokens) counts[token] = counts[token]! + 1;
      return tableDenoiser(tokens, t);
    };
    await sampler(denoise, optionsFor({ batch: 4000, tokens: 1, steps: 1 }));
    if (start.at(-1) === 1) expect([...counts]).toEqual([0, 0, 0, 4000]);
    else expect(chiSquareZ(counts, start)).toBeLessThan(4.5);
  });

  it('stops at the step in which it is aborted', async () => {
    const controller = new AbortController();
    const reason = new Error('enough');
    let calls = 0;
    const denoise: Denoiser = (tokens, t) => {
      if (++calls === 2) controller.abort(reason);
      return tableDenoiser(tokens, t);
    };
    const options = { ...optionsFor({ samples: [0], tokens: 2 }), signal: controller.signal };
    await expect(sampler(denoise, options)).rejects.toBe(reason);
    expect(calls).toBe(2);
  });

  it.each([0, 7, 2.5])('refuses %d steps', async (steps) => {
    await expect(sampler(tableDenoiser, optionsFor({ samples: [0], tokens: 2, steps }))).rejects.toThrow(UserError);
  });

  it('refuses a denoiser that returns NaN or too little', async () => {
    const options = optionsFor({ samples: [0], tokens: 2 });
    const broken: Denoiser = async () => new Float32Array(6).fill(NaN);
    await expect(sampler(broken, options)).rejects.toThrow(UserError);
    await expect(sampler(broken, { ...options, truncation: 0.85 })).rejects.toThrow(UserError);
    await expect(sampler(async () => new Float32Array(5), options)).rejects.toThrow(RangeError);
  });
});

describe('reverseTimes', () => {
  it('descends strictly from T - 1 to -1 in strides that differ by at most one', () => {
    for (let total = 2; total <= 30; total++) {
      for (let steps = 1; steps <= total; steps++) {
        const times = [...reverseTimes(total, steps)];
        const strides = times.slice(1).map((s, i) => times[i]! - s);
        expect(times[0]).toBe(total - 1);
        expect(times.at(-1)).toBe(-1);
        expect(Math.min(...strides)).toBeGreaterThanOrEqual(1);
        expect(Math.max(...strides) - Math.min(...strides)).toBeLessThanOrEqual(1);
      }
    }
  });
});

describe('referenceDraw', () => {
  it('reads recorded uniforms class by class, `[batch, K + 1, tokens]`', async () => {
    // A flat prediction from all masks: at the last step every code is as likely, so the largest uniform wins.
    const winners = [2, 0, 1, 1];
    const recorded = new Float64Array(2 * 4 * 2).fill(0.1);
    winners.forEach((k, i) => {
      recorded[(Math.floor(i / 2) * 4 + k) * 2 + (i % 2)] = 0.9;
    });
    const flat: Denoiser = async (tokens) => new Float32Array(tokens.length * 3).fill(Math.log(1 / 3));
    const options = optionsFor({ samples: [0, 1], tokens: 2, steps: 1 });
    expect([
      ...(await reverseChain(
        flat,
        options,
        referenceDraw(() => recorded, 2),
      )),
    ]).toEqual(winners);
  });
});

/** log p(x_0 | x_t = token) depends on the token and the time: a Markov chain over K + 1 states. */
function tableRow(token: number, t: number): number[] {
  const weights = [1 + t, 2 + ((token * 3) % 4), 0.5 + token];
  const total = weights.reduce((sum, w) => sum + w, 0);
  return weights.map((w) => w / total);
}

async function tableDenoiser(tokens: Int32Array, t: number): Promise<Float32Array> {
  return Float32Array.from(
    [...tokens].flatMap((token) => tableRow(token, t)),
    Math.log,
  );
}

/** The exact distribution of x_0: pushes the distribution of one token through every reverse step. */
function enumerate(steps: number, truncation: number | undefined, start: readonly number[]): number[] {
  const times = reverseTimes(schedule.steps, steps);
  let state = [...start];
  for (let i = 0; i < steps; i++) {
    const next = [0, 0, 0, 0];
    const step = reverseStep(schedule, times[i + 1]!, times[i]!);
    state.forEach((mass, token) => {
      const row = Float32Array.from(tableRow(token, times[i]!), Math.log);
      const kept = truncation === undefined ? row : truncatedRow(row, truncation);
      reverseProbabilities(step, token, kept.map(Math.exp)).forEach((p, k) => {
        next[k] = next[k]! + mass * p;
      });
    });
    state = next;
  }
  return state.slice(0, 3);
}

function oneHot(codes: Int32Array): Float32Array {
  return Float32Array.from([...codes].flatMap((code) => [0, 1, 2].map((k) => (k === code ? 0 : -70))));
}

interface Settings {
  readonly tokens: number;
  readonly batch?: number;
  readonly samples?: readonly number[];
  readonly steps?: number;
  readonly truncation?: number | undefined;
  readonly seed?: number;
}

function optionsFor({ tokens, batch, samples, steps = 6, truncation, seed = 42 }: Settings): SamplerOptions {
  const indices = samples ?? Array.from({ length: batch ?? 1 }, (_, i) => i);
  return { schedule, batch: indices.length, tokens, steps, truncation, noise: { seed, samples: indices } };
}
