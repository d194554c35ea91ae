/**
 * Ancestral sampling as the official program does it, Gumbel-max over K + 1 classes: for comparing chains, not for
 * pictures.
 */
import { uniforms } from '../../random/noise.ts';
import { gumbelArgmax, reverseLogProbabilities } from '../reference-draw.ts';
import { type DrawRule, reverseChain } from './chain.ts';
import type { Sampler } from './sampler.ts';

/** Draws from the same distribution as `ancestral`, at K + 1 uniforms per token and step (stream 'sample.gumbel'). */
export const reference: Sampler = (denoise, options) => {
  const { tokens, schedule, noise } = options;
  const perImage = (schedule.codes + 1) * tokens;
  const draw = referenceDraw((step) => {
    const rows = new Float64Array(noise.samples.length * perImage);
    for (let b = 0; b < noise.samples.length; b++) {
      rows.set(
        uniforms({ seed: noise.seed, stream: 'sample.gumbel', step }, noise.samples[b]!, perImage),
        b * perImage,
      );
    }
    return rows;
  }, tokens);
  return reverseChain(denoise, options, draw);
};

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
