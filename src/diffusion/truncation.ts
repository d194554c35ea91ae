/** Truncated sampling: keep only a token's likeliest codes before it is drawn. */
import { UserError } from '../base/errors.ts';
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
  checkRate(r);
  if (r === 1) return logProbs.slice();
  return keepFrom(topRCut(logProbs, Float64Array.from(logProbs, Math.exp), r), logProbs, logProbs.slice(), LOG_ZERO);
}

/**
 * The same in place, for who needs the probabilities `[K]` of `logProbs` `[K]`: those that are not kept become e^LOG_ZERO.
 *
 * @throws UserError for an `r` outside (0, 1].
 */
export function truncateProbabilities(probabilities: Float64Array, logProbs: Float32Array, r: number): void {
  checkRate(r);
  if (r === 1) return;
  keepFrom(topRCut(logProbs, probabilities, r), logProbs, probabilities, ZERO);
}

/**
 * "top-k": keeps the `count` likeliest codes of one token `[K]`, the others become LOG_ZERO.
 *
 * @throws UserError unless `count` is a whole number of at least 1.
 */
export function truncateTopK(logProbs: Float32Array, count: number): Float32Array<ArrayBuffer> {
  if (!Number.isInteger(count) || count < 1) throw new UserError(`top-k truncation is ${count}; keep at least 1 code`);
  if (count >= logProbs.length) return logProbs.slice();
  return keepFrom(cutAt(logProbs.slice().sort(), count), logProbs, logProbs.slice(), LOG_ZERO);
}

function checkRate(r: number): void {
  if (!(r > 0 && r <= 1)) throw new UserError(`truncation is ${r}; give a number above 0 and at most 1`);
}

/** The least value that is kept, and of how many codes that share it. */
interface Cut {
  readonly value: number;
  readonly room: number;
}

/** Behind the `count` largest of the values in ascending order. */
function cutAt(ascending: Float32Array, count: number): Cut {
  const first = ascending.length - count;
  // Of nothing, all is kept.
  const value = ascending[first] ?? Number.NEGATIVE_INFINITY;
  let room = 1;
  while (room < count && ascending[first + room] === value) room++;
  return { value, room };
}

const ZERO = Math.exp(LOG_ZERO);
/** Of the histogram: one sixteenth of log p each, down to LOG_ZERO. */
const BINS_PER_NAT = 16;
const LAST_BIN = -LOG_ZERO * BINS_PER_NAT;
const masses = new Float64Array(LAST_BIN + 1);

/** NaN counts as the likeliest, so that a broken prediction stays visible to whoever draws from it. */
const binOf = (logProb: number): number => Math.max(0, Math.min(LAST_BIN, (-logProb * BINS_PER_NAT) | 0));

/**
 * Where the likeliest codes reach r. A histogram finds the bin in which they do, and only what lies in there is sorted: sorting
 * all of a thousand codes would take ten times as long as everything else about a draw.
 */
function topRCut(logProbs: Float32Array, probabilities: Float64Array, r: number): Cut {
  masses.fill(0);
  for (let k = 0; k < logProbs.length; k++) masses[binOf(logProbs[k]!)]! += probabilities[k]!;
  let [bin, before] = [0, 0];
  while (bin < LAST_BIN && before + masses[bin]! < r) before += masses[bin++]!;
  const within = inBin(logProbs, bin).sort();
  let count = 0;
  for (; before < r && count < within.length; count++) before += Math.exp(within[within.length - 1 - count]!);
  return cutAt(within, count);
}

let found = new Float32Array(0);

/** The values of one bin; the next call overwrites them. */
function inBin(logProbs: Float32Array, bin: number): Float32Array {
  if (found.length < logProbs.length) found = new Float32Array(logProbs.length);
  let count = 0;
  for (let k = 0; k < logProbs.length; k++) if (binOf(logProbs[k]!) === bin) found[count++] = logProbs[k]!;
  return found.subarray(0, count);
}

/** Writes `dropped` over what lies beyond the cut. NaN is never below it. */
function keepFrom<A extends Float32Array | Float64Array>(
  cut: Cut,
  logProbs: Float32Array,
  values: A,
  dropped: number,
): A {
  let { room } = cut;
  for (let k = 0; k < logProbs.length; k++) {
    const value = logProbs[k]!;
    if (value < cut.value || (value === cut.value && room-- <= 0)) values[k] = dropped;
  }
  return values;
}
