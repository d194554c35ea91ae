/** Truncated sampling: keep only a token's likeliest codes before it is drawn. */
import { UserError } from '../errors.ts';
import { LOG_ZERO } from './log-space.ts';

/**
 * "top-r": ranks the codes by probability and keeps each whose predecessors hold less than `r` of the probability, so
 * the likeliest is always kept and the last one kept is the one that reaches `r`. The others become LOG_ZERO; nothing
 * is renormalised. Equal probabilities rank by code index.
 *
 * @param logProbs log p(x_0) of one token, `[K]`.
 * @param r in (0, 1]; 1 keeps everything.
 * @returns a new array `[K]`.
 * @throws UserError for an `r` outside its range.
 */
export function truncateTopR(logProbs: Float32Array, r: number): Float32Array<ArrayBuffer> {
  if (!(r > 0 && r <= 1)) throw new UserError(`truncation is ${r}; give a number above 0 and at most 1`);
  if (r === 1) return logProbs.slice();
  const ascending = logProbs.slice().sort();
  let count = 0;
  for (let before = 0; before < r && count < ascending.length; count++) before += Math.exp(ascending.at(-1 - count)!);
  return keepLargest(logProbs, ascending, count);
}

/**
 * "top-k": keeps the `count` likeliest codes of one token `[K]`, the others become LOG_ZERO.
 *
 * @throws UserError unless `count` is a whole number of at least 1.
 */
export function truncateTopK(logProbs: Float32Array, count: number): Float32Array<ArrayBuffer> {
  if (!Number.isInteger(count) || count < 1) throw new UserError(`top-k truncation is ${count}; keep at least 1 code`);
  if (count >= logProbs.length) return logProbs.slice();
  return keepLargest(logProbs, logProbs.slice().sort(), count);
}

/**
 * Sorting plain values and cutting at one of them is several times faster than sorting indices, which matters at K =
 * 4096. NaN is never below the cut, so a broken prediction stays visible to whoever draws from it.
 */
function keepLargest(logProbs: Float32Array, ascending: Float32Array, count: number): Float32Array<ArrayBuffer> {
  const first = ascending.length - count;
  const cut = ascending[first]!;
  // Of the codes that share the value at the cut, as many as still fit.
  let room = 0;
  while (ascending[first + room] === cut) room++;
  return new Float32Array(logProbs).map((value) => {
    if (value === cut) return room-- > 0 ? value : LOG_ZERO;
    return value < cut ? LOG_ZERO : value;
  });
}
