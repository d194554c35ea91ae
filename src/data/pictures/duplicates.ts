/** Pictures that are the same: byte for byte, or in what they show. */

import { THUMBNAIL } from './decode.ts';

/** Groups of two and more indices. */
export type Groups = readonly (readonly number[])[];

/** Indices that have the same key, in the order of their first. */
export function groupEqual(keys: readonly string[]): Groups {
  const byKey = new Map<string, number[]>();
  keys.forEach((key, index) => {
    const group = byKey.get(key);
    if (group) group.push(index);
    else byKey.set(key, [index]);
  });
  return [...byKey.values()].filter((group) => group.length > 1);
}

/** A summary of a picture for comparing: its brightness, as a difference hash, and its colours at 8x8. */
export interface Impression {
  /** Difference hash: bit 8 y + x says whether cell (x + 1, y) of a 9x8 grey picture is lighter than cell (x, y). */
  readonly hash: bigint;
  /** [8, 8, 3] bytes. */
  readonly colors: Uint8Array;
}

const GRID = 8;

/** An impression as text: the hash in hex, and the colours in base64. */
export const impressionText = ({ hash, colors }: Impression): string =>
  hash.toString(16).padStart(HASH_DIGITS, '0') + Buffer.from(colors).toString('base64');

/** What `impressionText` wrote. */
export const impressionFrom = (text: string): Impression => ({
  hash: BigInt(`0x${text.slice(0, HASH_DIGITS)}`),
  colors: new Uint8Array(Buffer.from(text.slice(HASH_DIGITS), 'base64')),
});

const HASH_DIGITS = (GRID * GRID) / 4;
/** Characters of such a text. */
export const IMPRESSION_LENGTH = HASH_DIGITS + 4 * GRID * GRID;

/** From a thumbnail [16, 16, 3]. */
export function impressionOf(thumbnail: Uint8Array): Impression {
  const grey = Float64Array.from(
    { length: THUMBNAIL ** 2 },
    (_, i) => 0.299 * thumbnail[3 * i]! + 0.587 * thumbnail[3 * i + 1]! + 0.114 * thumbnail[3 * i + 2]!,
  );
  let hash = 0n;
  for (let y = 0; y < GRID; y++)
    for (let x = 0; x < GRID; x++)
      if (column(grey, x + 1, y) > column(grey, x, y) + JUST_LIGHTER) hash |= 1n << BigInt(GRID * y + x);
  return { hash, colors: halved(thumbnail) };
}

/** Less than this is the noise of a codec, not a difference in light. */
const JUST_LIGHTER = 0.75;

/** Cell (x, y) of the 9x8 picture: two rows of the thumbnail, and 16/9 of its columns. */
function column(grey: Float64Array, x: number, y: number): number {
  const [from, to] = [(x * THUMBNAIL) / (GRID + 1), ((x + 1) * THUMBNAIL) / (GRID + 1)];
  let sum = 0;
  for (let i = Math.floor(from); i < to; i++) {
    const share = Math.min(i + 1, to) - Math.max(i, from);
    sum += share * (grey[2 * y * THUMBNAIL + i]! + grey[(2 * y + 1) * THUMBNAIL + i]!);
  }
  return sum / (2 * (to - from));
}

function halved(thumbnail: Uint8Array): Uint8Array {
  const colors = new Uint8Array(3 * GRID * GRID);
  for (let y = 0; y < GRID; y++)
    for (let x = 0; x < GRID; x++)
      for (let c = 0; c < 3; c++) {
        const at = (dy: number, dx: number) => thumbnail[3 * ((2 * y + dy) * THUMBNAIL + 2 * x + dx) + c]!;
        colors[3 * (y * GRID + x) + c] = Math.round((at(0, 0) + at(0, 1) + at(1, 0) + at(1, 1)) / 4);
      }
  return colors;
}

/** Near duplicates differ in so many of the 64 bits at most, … */
export const NEAR_BITS = 4;
/** … and in their colours by so many of 255 levels on average. */
export const NEAR_LEVELS = 6;

/**
 * Groups of pictures that look the same, joined through common neighbours. Hashes that differ in at most four bits
 * agree in one of five bands, so only pictures that share a band are compared: far fewer than all pairs.
 */
export function groupNear(impressions: readonly Impression[]): Groups {
  const sets = new DisjointSets(impressions.length);
  for (let band = 0; band <= NEAR_BITS; band++) {
    const buckets = groupEqual(impressions.map(({ hash }) => String(bandOf(hash, band))));
    for (const bucket of buckets) joinWithin(bucket, impressions, sets);
  }
  return groupEqual(impressions.map((_, index) => String(sets.root(index))));
}

/** Bits of a band: five bands of 13, 13, 13, 13 and 12. */
const bandOf = (hash: bigint, band: number): bigint => (hash >> BigInt(13 * band)) & 0x1fffn;

/**
 * Joins the near ones of a bucket. A picture is compared with one of each set found so far, and with all of the sets'
 * members only while a bucket is small: thousands of empty sheets in one bucket do not make millions of comparisons.
 */
function joinWithin(bucket: readonly number[], impressions: readonly Impression[], sets: DisjointSets): void {
  const representatives: number[] = [];
  for (const index of bucket) {
    const own = impressions[index]!;
    const near = representatives.find(
      (other) => sets.root(other) === sets.root(index) || isNear(own, impressions[other]!),
    );
    if (near === undefined || bucket.length <= ALL_PAIRS) representatives.push(index);
    if (near !== undefined) sets.join(near, index);
  }
}

const ALL_PAIRS = 64;

function isNear(a: Impression, b: Impression): boolean {
  if (bitCount(a.hash ^ b.hash) > NEAR_BITS) return false;
  let difference = 0;
  for (let i = 0; i < a.colors.length; i++) difference += Math.abs(a.colors[i]! - b.colors[i]!);
  return difference <= NEAR_LEVELS * a.colors.length;
}

function bitCount(bits: bigint): number {
  let count = 0;
  for (let rest = bits; rest !== 0n; rest &= rest - 1n) count++;
  return count;
}

/** Union-find: which pictures have been joined. */
class DisjointSets {
  readonly #parent: Int32Array;

  constructor(size: number) {
    this.#parent = Int32Array.from({ length: size }, (_, i) => i);
  }

  root(index: number): number {
    let at = index;
    while (this.#parent[at] !== at) {
      this.#parent[at] = this.#parent[this.#parent[at]!]!;
      at = this.#parent[at]!;
    }
    return at;
  }

  join(a: number, b: number): void {
    // The smaller number is the root, so that groups do not depend on the order of joining.
    const [low, high] = [this.root(a), this.root(b)].sort((x, y) => x - y) as [number, number];
    this.#parent[high] = low;
  }
}
