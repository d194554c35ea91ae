/**
 * Tokens revealed in a low-discrepancy order (Besnier et al., arXiv 2503.17076): the next ones lie far from each other
 * and from those that are known, so that what one step draws at once depends on each other as little as can be.
 */
import { UserError } from '../../base/errors.ts';
import { uniforms } from '../../random/noise.ts';
import type { DrawRule } from './chain.ts';
import { inverseCdfOf, reverseChain } from './chain.ts';
import { defineSampler, type Sampler, type SamplerOptions } from './sampler.ts';
import { placedPlan, timeOf } from './strided.ts';

/** As many tokens a step as the cosine schedule says; each revealed once, drawn from the prediction, and then kept. */
export const halton: Sampler = (denoise, options) => {
  const { schedule, steps, tokens } = options;
  const counts = cosineCounts(tokens, steps);
  let masked = tokens;
  // The network gets the time at which as many tokens are masked.
  const plan = placedPlan(schedule, steps).map((step, i) => {
    const time = masked === tokens ? schedule.steps - 1 : timeOf(schedule, masked / tokens);
    masked -= counts[i]!;
    return { ...step, time };
  });
  return reverseChain(denoise, options, haltonDraw(options, counts), { plan });
};

export const sampler = defineSampler({
  name: 'halton',
  description: 'reveals tokens in a low-discrepancy order, those drawn at once far apart (2503.17076)',
  exact: 'with one token a step',
  settings: {},
  steps: ({ times, tokens }) => ({ least: 1, most: Math.min(times, tokens) }),
  trials: { halton: {} },
  draw: halton,
});

/**
 * Tokens that each of `steps` steps reveals, at least one: so many that ⌈N cos(π i / 2 steps)⌉ are masked after step i.
 *
 * @throws UserError if there are more steps than tokens.
 */
export function cosineCounts(tokens: number, steps: number): number[] {
  if (!Number.isInteger(steps) || steps < 1 || steps > tokens)
    throw new UserError(`halton sampling steps is ${steps}; ${tokens} tokens take a whole number from 1 to ${tokens}`);
  let masked = tokens;
  return Array.from({ length: steps }, (_, i) => {
    const left = steps - i - 1;
    const wanted = Math.ceil(tokens * Math.cos((Math.PI * (i + 1)) / (2 * steps)) - 1e-9);
    const after = Math.max(left, Math.min(masked - 1, wanted));
    const count = masked - after;
    masked = after;
    return count;
  });
}

/**
 * All positions of a square grid, row-major, in the order in which the Halton sequence of bases 2 and 3, moved by
 * (`right`, `down`) around the torus, first visits their cells.
 */
export function haltonOrder(side: number, right = 0, down = 0): Int32Array {
  const order = new Int32Array(side * side);
  const seen = new Uint8Array(side * side);
  for (let found = 0, i = 0; found < order.length; i++) {
    const column = Math.floor(((radicalInverse(i, 2) + right) % 1) * side);
    const row = Math.floor(((radicalInverse(i, 3) + down) % 1) * side);
    const cell = row * side + column;
    if (seen[cell]) continue;
    seen[cell] = 1;
    order[found++] = cell;
  }
  return order;
}

/** The digits of `index` in `base`, mirrored at the point: van der Corput's sequence. */
export function radicalInverse(index: number, base: number): number {
  let [value, scale] = [0, 1 / base];
  for (let rest = index; rest > 0; rest = Math.floor(rest / base), scale /= base) value += (rest % base) * scale;
  return value;
}

function haltonDraw({ tokens: perImage, noise }: SamplerOptions, counts: readonly number[]): DrawRule {
  const side = Math.sqrt(perImage);
  const orders = Array.from({ length: noise.samples.length }, (_, b) => {
    // Every picture begins somewhere else.
    const [right, down] = uniforms({ seed: noise.seed, stream: 'sample.halton', step: 0 }, noise.samples[b]!, 2);
    return haltonOrder(side, right, down);
  });
  return ({ index, tokens, predict }) => {
    const drawn = tokens.slice() as Int32Array<ArrayBuffer>;
    const before = counts.slice(0, index).reduce((sum, count) => sum + count, 0);
    for (const [b, order] of orders.entries()) {
      const uniform = uniforms({ seed: noise.seed, stream: 'sample', step: index }, noise.samples[b]!, perImage);
      for (const l of order.subarray(before, before + counts[index]!))
        drawn[b * perImage + l] = inverseCdfOf(predict(b * perImage + l), uniform[l]!);
    }
    return drawn;
  };
}
