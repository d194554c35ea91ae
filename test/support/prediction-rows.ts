/** Guidance and truncation of single tokens, by the code that the product runs. */

import { float32 } from '../../src/base/ndarray.ts';
import { guided, isGuided } from '../../src/diffusion/guidance.ts';
import { LOG_ZERO } from '../../src/diffusion/process/log-space.ts';
import { truncateProbabilities } from '../../src/diffusion/process/truncation.ts';
import * as g from '../../src/graph/index.ts';
import { interpret } from './interpreter.ts';

/**
 * Guided log-probabilities of tokens, each row `[K]`, by the graph of the denoiser, which leaves the condition alone at
 * a scale of 1.
 */
export function guidedRows(
  conditional: readonly Float32Array[],
  unconditional: readonly Float32Array[],
  scale: number,
): Float32Array[] {
  if (!isGuided(scale)) return [...conditional];
  const shape = [conditional.length, conditional[0]!.length] as const;
  const inputs = { conditional: g.f32(...shape), unconditional: g.f32(...shape), scale: g.f32() };
  const program = g.trace(inputs, ({ conditional, unconditional, scale }) => ({
    logProbs: guided(conditional, unconditional, scale),
  }));
  const joined = (rows: readonly Float32Array[]) =>
    float32(Float32Array.from(rows.flatMap((row) => [...row])), [...shape]);
  const feeds = {
    conditional: joined(conditional),
    unconditional: joined(unconditional),
    scale: float32([scale], []),
  };
  const { data } = interpret(program, feeds).logProbs!;
  return conditional.map((_, i) => Float32Array.from(data.subarray(i * shape[1], (i + 1) * shape[1])));
}

/** log p `[K]` of one token after truncation; codes that are not kept have LOG_ZERO. */
export function truncatedRow(logProbs: Float32Array, r: number): Float32Array {
  const probabilities = Float64Array.from(logProbs, Math.exp);
  truncateProbabilities(probabilities, logProbs, r);
  return Float32Array.from(probabilities, (p, k) => (p === Math.exp(LOG_ZERO) ? LOG_ZERO : logProbs[k]!));
}
