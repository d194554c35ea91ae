/** Truncated sampling: keep only a token's likeliest codes before it is drawn. */
import { UserError } from '../../base/errors.ts';
import { LOG_ZERO } from './log-space.ts';

/**
 * "top-r": ranks the codes of one token by probability and keeps each whose predecessors hold less than `r` of the
 * probability, so the likeliest is always kept and the last one kept is the one that reaches `r`. The probabilities of
 * the others become e^LOG_ZERO, in place; nothing is renormalised. Equal probabilities rank by code index.
 *
 * @param probabilities p(x_0) of one token, `[K]`.
 * @param logProbs their logarithms.
 * @param r in (0, 1]; 1 keeps everything.
 * @throws UserError for an `r` outside its range.
 */
export function truncateProbabilities(probabilities: Float64Array, logProbs: Float32Array, r: number): void {
  checkRate(r);
  if (r === 1) return;
  dropBelow(topRCut(logProbs, probabilities, r), logProbs, probabilities);
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
  // With a count of 0 everything is kept.
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

/** NaN counts as the likeliest, so that a broken prediction stays visible in what is drawn from it. */
const binOf = (logProb: number): number => Math.max(0, Math.min(LAST_BIN, (-logProb * BINS_PER_NAT) | 0));

/**
 * Where the likeliest codes reach r. A histogram finds the bin in which they do, and only what lies in there is sorted:
 * sorting all of a thousand codes would take ten times as long as everything else about a draw.
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

/** Drops what lies beyond the cut. NaN is never below it. */
function dropBelow(cut: Cut, logProbs: Float32Array, probabilities: Float64Array): void {
  let { room } = cut;
  for (let k = 0; k < logProbs.length; k++) {
    const value = logProbs[k]!;
    if (value < cut.value || (value === cut.value && room-- <= 0)) probabilities[k] = ZERO;
  }
}
