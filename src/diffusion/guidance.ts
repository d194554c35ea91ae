/** Classifier-free guidance on the predicted clean tokens (Improved VQ-Diffusion, arXiv 2205.16007). */
import { clampLog, logSumExp } from './log-space.ts';

/** Closer to 1 than this, guidance is off and the null prediction need not be computed. */
const SCALE_TOLERANCE = 1e-3;

/** Whether a guidance scale asks for the unconditional prediction at all. */
export function isGuided(guidanceScale: number): boolean {
  return Math.abs(guidanceScale - 1) >= SCALE_TOLERANCE;
}

/**
 * log p = l_null + guidanceScale (l_cond - l_null), renormalised over the codes and clamped to [-70, 0].
 * A scale within 1e-3 of 1 returns `conditional` itself.
 *
 * @param conditional, unconditional log p_theta(x_0), `[..., K]`.
 * @param codes K.
 */
export function guide(
  conditional: Float32Array,
  unconditional: Float32Array,
  codes: number,
  guidanceScale: number,
): Float32Array {
  if (!isGuided(guidanceScale)) return conditional;
  const guided = new Float32Array(conditional.length);
  const row = new Float64Array(codes);
  for (let start = 0; start < guided.length; start += codes) {
    for (let k = 0; k < codes; k++) {
      const base = unconditional[start + k]!;
      row[k] = base + guidanceScale * (conditional[start + k]! - base);
    }
    const normalizer = logSumExp(row, 0, codes);
    for (let k = 0; k < codes; k++) guided[start + k] = clampLog(row[k]! - normalizer);
  }
  return guided;
}
