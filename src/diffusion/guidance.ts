/** Classifier-free guidance on the predicted clean tokens (Improved VQ-Diffusion, arXiv 2205.16007). */
import * as g from '../graph/index.ts';
import { logPrediction } from './loss.ts';

/** Closer to 1 than this, guidance is off and the null prediction need not be computed. */
const SCALE_TOLERANCE = 1e-3;

/** Whether a guidance scale needs the unconditional prediction at all. */
export function isGuided(guidanceScale: number): boolean {
  return Math.abs(guidanceScale - 1) >= SCALE_TOLERANCE;
}

/**
 * Guided log p_θ(x_0) in the graph: ℓ_null + s (ℓ_cond − ℓ_null), renormalised over the codes and clamped to [−70, 0].
 *
 * @param conditional, unconditional log p_θ(x_0), [batch, tokens, K].
 * @param scale s, a scalar.
 */
export function guided(conditional: g.Tensor, unconditional: g.Tensor, scale: g.Tensor): g.Tensor {
  return logPrediction(g.add(unconditional, g.mul(scale, g.sub(conditional, unconditional))));
}

/** How strongly a chain is guided at each of its times. */
export interface GuidanceSettings {
  readonly guidanceScale: number;
  readonly guidanceSchedule: 'constant' | 'rising' | 'falling';
  /**
   * Shares of the chain, from noise (0) to picture (1), between which it is guided at all (Kynkäänniemi et al.,
   * 2404.07724).
   */
  readonly guidanceFrom: number;
  readonly guidanceUntil: number;
}

/**
 * The scale at time t of T: s throughout, or 1 + (s − 1) u `rising` and 1 + (s − 1)(1 − u) `falling`, with u the share
 * of the interval that is over; 1, no guidance, outside the interval.
 */
export function guidanceAt(settings: GuidanceSettings, t: number, total: number): number {
  const { guidanceScale, guidanceSchedule, guidanceFrom, guidanceUntil } = settings;
  const progress = total > 1 ? 1 - t / (total - 1) : 0;
  if (progress < guidanceFrom || progress > guidanceUntil) return 1;
  if (guidanceSchedule === 'constant') return guidanceScale;
  const within = guidanceUntil > guidanceFrom ? (progress - guidanceFrom) / (guidanceUntil - guidanceFrom) : 1;
  return 1 + (guidanceScale - 1) * (guidanceSchedule === 'rising' ? within : 1 - within);
}
