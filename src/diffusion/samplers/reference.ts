/**
 * Ancestral sampling as the official program does it, Gumbel-max over K + 1 classes: for comparing chains, not for
 * pictures.
 */
import { uniforms } from '../../random/noise.ts';
import { gumbelArgmax, reverseLogProbabilities } from '../process/reference-draw.ts';
import { type DrawRule, reverseChain } from './chain.ts';
import { defineSampler, type Sampler, type SamplerOptions } from './sampler.ts';

/** Draws from the same distribution as `ancestral`, at K + 1 uniforms per token and step (stream 'sample.gumbel'). */
export const reference: Sampler = (denoise, options) => reverseChain(denoise, options, gumbelDraw(options));

export const sampler = defineSampler({
  name: 'reference',
  description: 'as the official program draws with all steps, for comparison',
  exact: 'no',
  settings: {},
  draw: reference,
});

/** The official draw with uniforms of the options' seed and samples. */
export function gumbelDraw({ tokens, schedule, noise }: SamplerOptions): DrawRule {
  const perImage = (schedule.codes + 1) * tokens;
  return referenceDraw((step) => {
    const rows = new Float64Array(noise.samples.length * perImage);
    for (let b = 0; b < noise.samples.length; b++) {
      const row = uniforms({ seed: noise.seed, stream: 'sample.gumbel', step }, noise.samples[b]!, perImage);
      rows.set(row, b * perImage);
    }
    return rows;
  }, tokens);
}

/**
 * The official draw with uniforms from anywhere, so that a recorded chain can be replayed through `reverseChain`.
 *
 * @param uniformsAt the uniforms of reverse step 0, 1, ..., `[batch, K + 1, tokens]`, the layout of the official
 * program.
 * @param tokens tokens of one image.
 */
export function referenceDraw(uniformsAt: (index: number) => ArrayLike<number>, tokens: number): DrawRule {
  return ({ index, step, tokens: current, predict }) => {
    const all = uniformsAt(index);
    const classes = step.codes + 1;
    const column = new Float64Array(classes);
    return current.map((token, i) => {
      const first = Math.floor(i / tokens) * classes * tokens + (i % tokens);
      for (let k = 0; k < classes; k++) column[k] = all[first + k * tokens]!;
      return gumbelArgmax(reverseLogProbabilities(step, token, predict(i)), column);
    });
  };
}
