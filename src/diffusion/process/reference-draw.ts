/**
 * How the official program draws a token: Gumbel-max over all K + 1 classes. Kept for parity; its float32 noise cuts
 * off the tails.
 */
import { clampLog } from './log-space.ts';
import { type ReverseStep, reverseProbabilities } from './reverse.ts';

/** arg max_k of logProb_k - log(-log(u_k + 1e-30) + 1e-30); the first of equals. Both `[classes]`, u in [0, 1). */
export function gumbelArgmax(logProb: ArrayLike<number>, uniform: ArrayLike<number>): number {
  let best = 0;
  let bestScore = -Infinity;
  for (let k = 0; k < logProb.length; k++) {
    const score = logProb[k]! - Math.log(-Math.log(uniform[k]! + 1e-30) + 1e-30);
    if (score > bestScore) {
      best = k;
      bestScore = score;
    }
  }
  return best;
}

/** log p(x_s | x_t) over K codes and the mask, clamped to [-70, 0] as the reference does, `[K + 1]`. */
export function reverseLogProbabilities(step: ReverseStep, token: number, predicted: ArrayLike<number>): Float64Array {
  return reverseProbabilities(step, token, predicted).map((p) => clampLog(Math.log(p)));
}
