/** The quantizer, run by the tests' own float64 interpreter, against exact probabilities and plain formulas. */

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { chiSquareZ } from '../../test/support/chi-square.ts';
import { interpret } from '../../test/support/interpreter.ts';
import { weighted } from '../../test/support/numeric.ts';
import { float32, int32, type NDArray, scalar } from '../base/ndarray.ts';
import * as g from '../graph/index.ts';
import { gumbelBatch } from '../random/noise.ts';
import { codeShares, gumbelSoftmax, uniformDivergence } from './quantizer.ts';

const softmax = (x: ArrayLike<number>): number[] => {
  const weights = Array.from(x, (value) => Math.exp(value));
  const total = weights.reduce((a, b) => a + b, 0);
  return weights.map((w) => w / total);
};

/** Run gumbelSoftmax and the gradient of Σ weights · (fixed numbers) with respect to the logits. */
function choose(logits: NDArray, gumbel: NDArray, temperature: number, hard: boolean) {
  const inputs = { logits, gumbel, temperature: scalar(temperature) };
  const program = g.trace(inputs, ({ logits, gumbel, temperature }) => {
    const { weights, index } = gumbelSoftmax(logits, gumbel, temperature, hard);
    return { weights, index, gradient: g.grad(weighted(weights), logits) };
  });
  const out = interpret(program, inputs);
  return { weights: out.weights!.data, index: out.index!.data, gradient: out.gradient!.data };
}

const codes = 5;
const rows = fc.array(fc.double({ min: -4, max: 4, noNaN: true }), { minLength: 3 * codes, maxLength: 3 * codes });
const temperatures = fc.double({ min: 0.05, max: 2, noNaN: true });

describe('gumbelSoftmax', () => {
  it('is the softmax of the noisy logits over the temperature', () => {
    fc.assert(
      fc.property(rows, rows, temperatures, (a, b, temperature) => {
        const [logits, gumbel] = [float32(a, [1, 3, codes]), float32(b, [1, 3, codes])];
        const { weights } = choose(logits, gumbel, temperature, false);
        for (let row = 0; row < 3; row++) {
          const at = (k: number) => row * codes + k;
          const tau = Math.fround(temperature);
          const noisy = Array.from({ length: codes }, (_, k) => (logits.data[at(k)]! + gumbel.data[at(k)]!) / tau);
          softmax(noisy).forEach((p, k) => {
            expect(weights[at(k)]!).toBeCloseTo(p, 9);
          });
        }
      }),
    );
  });

  it('straight through: the one-hot of the same draw, with the gradient of the soft one', () => {
    fc.assert(
      fc.property(rows, rows, temperatures, (a, b, temperature) => {
        const [logits, gumbel] = [float32(a, [1, 3, codes]), float32(b, [1, 3, codes])];
        const [soft, hard] = [choose(logits, gumbel, temperature, false), choose(logits, gumbel, temperature, true)];
        expect(hard.index).toEqual(soft.index);
        expect(hard.gradient).toEqual(soft.gradient);
        hard.weights.forEach((w, at) => {
          expect(w).toBe(hard.index[Math.floor(at / codes)] === at % codes ? 1 : 0);
        });
      }),
    );
  });

  it('draws codes with the probabilities of the logits', () => {
    const draws = 5_000;
    const each = [0.3, -1, 2, 0, 1.1];
    const key = { seed: 11, stream: 'test/gumbel', step: 0 };
    const noise = gumbelBatch(key, [0], draws * codes);
    const logits = float32(
      Array.from({ length: draws * codes }, (_, at) => each[at % codes]!),
      [1, draws, codes],
    );
    const { index } = choose(logits, float32(noise, logits.shape), 0.5, true);
    const counts = new Float64Array(codes);
    for (const k of index) counts[k]!++;
    expect(chiSquareZ(counts, softmax(each))).toBeLessThan(4.5);
  });
});

describe('uniformDivergence', () => {
  it('is log K less the entropy, averaged over positions', () => {
    fc.assert(
      fc.property(rows, (values) => {
        const logits = float32(values, [1, 3, codes]);
        const program = g.trace({ logits }, ({ logits }) => ({ kl: uniformDivergence(logits) }));
        const entropies = [0, 1, 2].map((row) =>
          softmax(logits.data.subarray(row * codes, (row + 1) * codes)).reduce((h, p) => h - p * Math.log(p), 0),
        );
        const mean = entropies.reduce((a, b) => a + b, 0) / 3;
        expect(interpret(program, { logits }).kl!.data[0]).toBeCloseTo(Math.log(codes) - mean, 6);
      }),
    );
  });

  it('has the gradient of its definition', () => {
    fc.assert(
      fc.property(rows, (values) => {
        const logits = float32(values, [1, 3, codes]);
        const defined = (l: g.Tensor) => {
          const q = g.softmax(l);
          return g.mean(g.sum(g.mul(q, g.log(g.add(g.mul(q, codes), 1e-10))), -1));
        };
        const { ours, plain } = interpret(
          g.trace({ logits }, ({ logits }) => ({
            ours: g.grad(g.mul(uniformDivergence(logits), 3), logits),
            plain: g.grad(g.mul(defined(logits), 3), logits),
          })),
          { logits },
        ) as Record<'ours' | 'plain', NDArray>;
        ours.data.forEach((slope, i) => {
          expect(slope).toBeCloseTo(plain.data[i]!, 6);
        });
      }),
    );
  });
});

describe('codeShares', () => {
  it('counts codes', () => {
    const index = int32([0, 3, 3, 1, 3, 0, 0, 3], [2, 4]);
    const program = g.trace({ index }, ({ index }) => ({ shares: codeShares(index, 5) }));
    expect([...interpret(program, { index }).shares!.data]).toEqual([3 / 8, 1 / 8, 0, 4 / 8, 0]);
  });
});
