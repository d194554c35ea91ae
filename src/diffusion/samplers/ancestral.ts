/** Ancestral sampling: every token is drawn from the exact posterior by inverse CDF in float64. */
import { uniforms } from '../../random/noise.ts';
import { drawReverse } from '../reverse.ts';
import { type DrawRule, reverseChain } from './chain.ts';
import type { Sampler, SamplerOptions } from './sampler.ts';

/**
 * Draws x_0 over `steps` exact reverse steps from all masks, one uniform per token and step from stream 'sample'.
 * In float64, because float32 Gumbel noise cuts off the tails of a categorical distribution (arXiv 2409.02908).
 */
export const ancestral: Sampler = (denoise, options) => reverseChain(denoise, options, exactDraw(options.noise));

function exactDraw({ seed, samples }: SamplerOptions['noise']): DrawRule {
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
