/** Classifier-free guidance on the predicted clean tokens (Improved VQ-Diffusion, arXiv 2205.16007). */
import { clampLog, logSumExp } from './process/log-space.ts';

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

/** How strongly a chain is guided at each of its times. */
export interface GuidanceSettings {
  readonly guidanceScale: number;
  readonly guidanceSchedule: 'constant' | 'rising' | 'falling';
  /** Shares of the chain, from noise (0) to picture (1), between which it is guided at all (Kynkäänniemi et al., 2404.07724). */
  readonly guidanceFrom: number;
  readonly guidanceUntil: number;
}

/**
 * The scale at time t of T: s throughout, or 1 + (s − 1) u `rising` and 1 + (s − 1)(1 − u) `falling`, with u the share of the
 * interval that is over; 1, no guidance, outside the interval.
 */
export function guidanceAt(settings: GuidanceSettings, t: number, total: number): number {
  const { guidanceScale, guidanceSchedule, guidanceFrom, guidanceUntil } = settings;
  const progress = total > 1 ? 1 - t / (total - 1) : 0;
  if (progress < guidanceFrom || progress > guidanceUntil) return 1;
  if (guidanceSchedule === 'constant') return guidanceScale;
  const within = guidanceUntil > guidanceFrom ? (progress - guidanceFrom) / (guidanceUntil - guidanceFrom) : 1;
  return 1 + (guidanceScale - 1) * (guidanceSchedule === 'rising' ? within : 1 - within);
}
