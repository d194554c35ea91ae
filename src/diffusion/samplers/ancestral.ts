/** Ancestral sampling, the paper's: every token is drawn from the exact posterior by inverse CDF in float64. */
import { uniforms } from '../../random/noise.ts';
import { drawReverse } from '../process/reverse.ts';
import { marginal } from '../process/schedule.ts';
import { type DrawRule, reverseChain } from './chain.ts';
import { defineSampler, type Sampler, type SamplerOptions } from './sampler.ts';

/**
 * Draws x_0 over `steps` exact reverse steps, evenly spaced (all T in the paper), from the prior, one uniform per token
 * and step from stream 'sample'. In float64, because float32 Gumbel noise cuts off the tails of a categorical
 * distribution (arXiv 2409.02908).
 */
export const ancestral: Sampler = (denoise, options) =>
  reverseChain(denoise, options, exactDraw(options.noise), { start: drawPrior(options) });

export const sampler = defineSampler({
  name: 'ancestral',
  description: "the paper's: all T steps of the posterior; fewer are strided evenly",
  exact: 'yes, up to tokens of one step being drawn independently',
  settings: {},
  draw: ancestral,
});

/**
 * x at T - 1 as the forward process leaves it once the picture is forgotten: masks, and where a schedule also replaces,
 * codes drawn evenly, in the proportion that the schedule has. With the published schedule, one token in a million.
 */
export function drawPrior({ schedule, tokens, noise }: SamplerOptions): Int32Array<ArrayBuffer> {
  const { codes } = schedule;
  const { beta, gamma } = marginal(schedule, schedule.steps - 1);
  const replaced = (codes * beta) / (codes * beta + gamma);
  const start = new Int32Array(noise.samples.length * tokens);
  for (let b = 0; b < noise.samples.length; b++) {
    const row = uniforms({ seed: noise.seed, stream: 'sample.prior', step: 0 }, noise.samples[b]!, tokens);
    for (let l = 0; l < tokens; l++) {
      const u = row[l]!;
      start[b * tokens + l] = u < replaced ? Math.min(codes - 1, Math.floor((u / replaced) * codes)) : codes;
    }
  }
  return start;
}

/** The rule of `ancestral`: every token from the exact posterior. */
export function exactDraw({ seed, samples }: SamplerOptions['noise']): DrawRule {
  return ({ index, step, tokens, predict }) => {
    const drawn = new Int32Array(tokens.length);
    const perImage = tokens.length / samples.length;
    for (let b = 0; b < samples.length; b++) {
      const uniform = uniforms({ seed, stream: 'sample', step: index }, samples[b]!, perImage);
      for (let l = 0; l < perImage; l++) {
        const i = b * perImage + l;
        drawn[i] = drawReverse(step, tokens[i]!, uniform[l]!, () => predict(i));
      }
    }
    return drawn;
  };
}
