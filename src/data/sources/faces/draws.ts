/** A short run of random choices, each a pure function of its noise key and its place in the run. */
import { type NoiseKey, uniforms } from '../../../random/noise.ts';

export interface Draws {
  /** True with the given probability. */
  chance(probability: number): boolean;
  /** One of the items, all equally likely. */
  pick<T>(items: readonly T[]): T;
  /** One of the keys, in proportion to its weight. */
  weigh<K extends string>(weights: Readonly<Partial<Record<K, number>>>): K;
  /** The items in random order. */
  shuffle<T>(items: readonly T[]): T[];
}

/** The choices of one sample; more than `limit` of them throw a RangeError. */
export function drawsOf(key: NoiseKey, sample: number, limit = 64): Draws {
  const noise = uniforms(key, sample, limit);
  let used = 0;
  const next = (): number => {
    const u = noise[used++];
    if (u === undefined) throw new RangeError(`more than ${limit} random choices for one sample`);
    return u;
  };
  const pick = <T>(items: readonly T[]): T => {
    if (items.length === 0) throw new RangeError('nothing to pick from');
    return items[Math.floor(next() * items.length)]!;
  };
  return {
    chance: (probability) => next() < probability,
    pick,
    weigh: (weights) => {
      const keys = keysOf(weights);
      const total = keys.reduce((sum, key) => sum + (weights[key] ?? 0), 0);
      let left = next() * total;
      for (const key of keys) {
        left -= weights[key] ?? 0;
        if (left < 0) return key;
      }
      throw new RangeError('nothing to weigh');
    },
    shuffle: (items) =>
      items
        .map((item) => ({ item, rank: next() }))
        .sort((a, b) => a.rank - b.rank)
        .map(({ item }) => item),
  };
}

/** The keys of a closed table, with their type. */
export function keysOf<K extends string>(table: Readonly<Partial<Record<K, unknown>>>): K[] {
  return Object.keys(table) as K[];
}
