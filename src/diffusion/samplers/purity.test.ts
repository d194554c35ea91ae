/** Purity sampling: counts for any number of tokens, positions in proportion to purity, and complete pictures. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { chiSquareZ } from '../../../test/support/chi-square.ts';
import { UserError } from '../../base/errors.ts';
import { uniforms } from '../../random/noise.ts';
import { marginal, maskReplaceSchedule } from '../process/schedule.ts';
import { drawPositions, type PuritySettings, purity, revealCounts, selectableScores, sharpened } from './purity.ts';
import type { Denoiser, SamplerOptions } from './sampler.ts';

const CODES = 4;
const schedule = maskReplaceSchedule({ steps: 10, codes: CODES });

function options(tokens: number, steps: number, batch = 2): SamplerOptions {
  const noise = { seed: 3, samples: Array.from({ length: batch }, (_, i) => i) };
  return { schedule, batch, tokens, steps, truncation: undefined, noise };
}

/** Surer of later positions, and of the code `position mod K`. */
const denoiser =
  (tokens: number): Denoiser =>
  async (x) =>
    Float32Array.from({ length: x.length * CODES }, (_, i) => {
      const position = Math.floor(i / CODES) % tokens;
      const sure = 0.3 + (0.69 * position) / tokens;
      return Math.log(i % CODES === position % CODES ? sure : (1 - sure) / (CODES - 1));
    });

describe('purity', () => {
  const settings: PuritySettings[] = [
    { order: 'random', weight: 0, counts: 'even' },
    { order: 'purity', weight: 3, counts: 'even' },
    { order: 'purity', weight: 1, counts: 'cosine' },
    { order: 'purity', weight: 1, counts: 'reference' },
  ];

  it.each(settings)('reveals every token, as many a step as planned: %o', async (setting) => {
    const masked: number[] = [];
    const steps = 10;
    const onStep: SamplerOptions['onStep'] = ({ tokens }) => {
      masked.push(tokens.filter((token) => token === CODES).length);
    };
    const drawn = await purity(setting)(denoiser(16), { ...options(16, steps, 1), onStep });
    expect(drawn.every((code) => code < CODES)).toBe(true);
    let left = 16;
    const expected = revealCounts(setting.counts, 16, steps).map((count) => {
      left = Math.max(0, left - count);
      return left;
    });
    // Official tables reveal what is left in the last step, whatever they say.
    expect(masked).toEqual([...expected.slice(0, -1), 0]);
  });

  it('gives the network the time at which as many tokens are masked, where few are revealed first', async () => {
    const shares: number[] = [];
    const watching: Denoiser = (tokens, time) => {
      const masked = tokens.filter((token) => token === CODES).length / tokens.length;
      shares.push(Math.abs(marginal(schedule, time).gamma - masked));
      return denoiser(16)(tokens, time);
    };
    await purity({ order: 'purity', weight: 1, counts: 'cosine' })(watching, options(16, 8, 1));
    expect(shares).toHaveLength(8);
    // Times are whole: the share of masks of one is within half a step of what is wanted.
    expect(Math.max(...shares)).toBeLessThan(1 / schedule.steps);
  });

  it('reveals sure tokens first', async () => {
    const firstSteps: number[] = [];
    for (let seed = 0; seed < 40; seed++) {
      const onStep: SamplerOptions['onStep'] = ({ step, tokens }) => {
        if (step === 1) firstSteps.push(...[...tokens.keys()].filter((l) => tokens[l]! < CODES));
      };
      const noise = { seed, samples: [0] };
      await purity({ order: 'purity', weight: 0, counts: 'even' })(denoiser(16), {
        ...options(16, 4, 1),
        noise,
        onStep,
      });
    }
    const mean = firstSteps.reduce((a, b) => a + b, 0) / firstSteps.length;
    expect(firstSteps).toHaveLength(160);
    // Anywhere alike would be 7.5 with a standard error of about 0.36.
    expect(mean).toBeGreaterThan(8.6);
  });

  it('does not let a picture depend on its batch mates', async () => {
    const sampler = purity({ order: 'purity', weight: 2, counts: 'even' });
    const both = await sampler(denoiser(9), options(9, 3));
    const noise = { seed: 3, samples: [1] };
    const alone = await sampler(denoiser(9), { ...options(9, 3, 1), noise });
    expect([...both.subarray(9)]).toEqual([...alone]);
  });

  it('refuses a broken denoiser and step counts without a table', async () => {
    const broken: Denoiser = async (x) => new Float32Array(x.length * CODES).fill(NaN);
    await expect(purity({ order: 'random', weight: 0, counts: 'even' })(broken, options(4, 2))).rejects.toThrow(
      UserError,
    );
    expect(() => revealCounts('reference', 16, 7)).toThrow(UserError);
  });
});

describe('revealCounts', () => {
  it('reveals each token once, in shares that differ by at most one', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 2000 }), fc.integer({ min: 1, max: 200 }), (tokens, steps) => {
        const counts = revealCounts('even', tokens, steps);
        expect(counts).toHaveLength(steps);
        expect(counts.reduce((a, b) => a + b, 0)).toBe(tokens);
        expect(Math.max(...counts) - Math.min(...counts)).toBeLessThanOrEqual(1);
      }),
    );
  });
});

describe('drawPositions', () => {
  it('draws the first position in proportion to the scores, and the second from what is left', () => {
    const scores = [0.5, 0.3, 0, 0.2];
    const first = new Float64Array(4);
    const second = new Float64Array(4);
    for (let i = 0; i < 8000; i++) {
      const [a, b] = drawPositions(scores, 2, uniforms({ seed: 1, stream: 'test', step: i }, 0, 4)) as [number, number];
      first[a] = first[a]! + 1;
      if (a === 0) second[b] = second[b]! + 1;
    }
    expect([first[2], second[2], second[0]]).toEqual([0, 0, 0]);
    expect(chiSquareZ(first, scores)).toBeLessThan(4.5);
    expect(chiSquareZ(second, [0, 0.6, 0, 0.4])).toBeLessThan(4.5);
  });

  it('stops when nothing is left, and treats scores that vanish alike', () => {
    expect(drawPositions([1, 0, 1], 5, [0.5, 0.5, 0.2])).toEqual([0, 2]);
    expect([...selectableScores([0, 0, 0], (l) => l !== 1)]).toEqual([1, 0, 1]);
  });
});

describe('sharpened', () => {
  it('raises probabilities to the power 1 + weight · score', () => {
    const p = [0.5, 0.3, 0.2];
    const raised = p.map((value) => value ** 2.5);
    const total = raised.reduce((a, b) => a + b, 0);
    sharpened(p.map(Math.log), 0.5, 3).forEach((value, k) => {
      expect(Math.exp(value)).toBeCloseTo(raised[k]! / total, 12);
    });
  });
});
