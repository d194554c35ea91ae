/** Truncated sampling: keep only a token's likeliest codes before it is drawn. */
import { UserError } from '../errors.ts';
import { LOG_ZERO } from './log-space.ts';

/**
 * "top-r": sorts the codes by probability and keeps each whose predecessors hold less than `r` of the probability, so the
 * likeliest is always kept and the last one kept is the one that reaches `r`. The others become LOG_ZERO; nothing is renormalised.
 * Equal probabilities rank by code index.
 *
 * @param logProbs log p(x_0) of one token, `[K]`.
 * @param r in (0, 1]; 1 keeps everything.
 * @returns a new array `[K]`.
 * @throws UserError for an `r` outside its range.
 */
export function truncateTopR(logProbs: Float32Array, r: number): Float32Array<ArrayBuffer> {
  if (!(r > 0 && r <= 1)) throw new UserError(`truncation is ${r}; give a number above 0 and at most 1`);
  if (r === 1) return logProbs.slice();
  const { order, probability } = candidates(logProbs, r);
  const kept = new Float32Array(logProbs.length).fill(LOG_ZERO);
  let before = 0;
  for (const k of order) {
    if (before >= r) break;
    kept[k] = logProbs[k]!;
    before += probability[k]!;
  }
  return kept;
}

/**
 * "top-k": keeps the `count` likeliest codes of one token `[K]`, the others become LOG_ZERO.
 *
 * @throws UserError unless `count` is a whole number of at least 1.
 */
export function truncateTopK(logProbs: Float32Array, count: number): Float32Array<ArrayBuffer> {
  if (!Number.isInteger(count) || count < 1) throw new UserError(`top-k truncation is ${count}; keep at least 1 code`);
  const kept = new Float32Array(logProbs.length).fill(LOG_ZERO);
  const order = Uint32Array.from(logProbs.keys()).sort((a, b) => logProbs[b]! - logProbs[a]! || a - b);
  for (const k of order.subarray(0, count)) kept[k] = logProbs[k]!;
  return kept;
}

/**
 * The codes that can be kept, likeliest first. K codes of at most (total - r) / K each hold at most total - r together, so the
 * others reach r before any of them comes up: with a confident network that leaves a handful to sort instead of K.
 */
function candidates(logProbs: Float32Array, r: number): { order: number[]; probability: Float64Array } {
  const probability = Float64Array.from(logProbs, Math.exp);
  const total = probability.reduce((sum, p) => sum + p, 0);
  const margin = 1 - 1e-9;
  const threshold = ((total - r) / probability.length) * margin;
  const order: number[] = [];
  for (let k = 0; k < probability.length; k++) if (probability[k]! > threshold) order.push(k);
  order.sort((a, b) => probability[b]! - probability[a]! || a - b);
  return { order, probability };
}
