/**
 * Noise as a pure function of (seed, stream, step, sample index): nothing is remembered between calls, so a resumed
 * run, another batch size or another machine draws the same numbers for the same sample.
 */
import { UserError } from '../base/errors.ts';
import { philox4x32 } from './philox.ts';

/** Names one source of noise. `stream` says what the noise is for ("tokenizer.gumbel"), `step` when it is drawn. */
export interface NoiseKey {
  /** Any safe integer from 0. */
  readonly seed: number;
  readonly stream: string;
  /** 0 to 2^32 − 1. */
  readonly step: number;
}

/** Turns two independent uniforms of the open unit interval into two independent draws. */
type Transform = (u: number, v: number, pair: Float64Array) => void;

const TRANSFORMS = {
  uniform: (u, v, pair) => {
    pair[0] = u;
    pair[1] = v;
  },
  // Box & Muller (1958).
  normal: (u, v, pair) => {
    const radius = Math.sqrt(-2 * Math.log(u));
    pair[0] = radius * Math.cos(2 * Math.PI * v);
    pair[1] = radius * Math.sin(2 * Math.PI * v);
  },
  gumbel: (u, v, pair) => {
    pair[0] = -Math.log(-Math.log(u));
    pair[1] = -Math.log(-Math.log(v));
  },
} satisfies Record<string, Transform>;
type Distribution = keyof typeof TRANSFORMS;

/** `count` draws from the open interval (0, 1) with 53 random bits each. The first k draws do not depend on `count`. */
export function uniforms(key: NoiseKey, sample: number, count: number): Float64Array {
  return draw('uniform', key, sample, count);
}

/** `count` draws from N(0, 1) in float64. The first k draws do not depend on `count`. */
export function normals(key: NoiseKey, sample: number, count: number): Float64Array {
  return draw('normal', key, sample, count);
}

/**
 * `count` unbiased whole numbers from 0 to `below` − 1 (`below` up to 2^31). The first k draws do not depend on
 * `count`.
 */
export function integers(key: NoiseKey, sample: number, count: number, below: number): Int32Array {
  const words = new WordReader(new Blocks('integer', key), sample);
  return Int32Array.from({ length: count }, () => words.below(below));
}

/** The order in which epoch `epoch` visits `n` items: a uniform permutation of 0 … n − 1 (Fisher-Yates). */
export function permutation(seed: number, stream: string, epoch: number, n: number): Int32Array {
  const words = new WordReader(new Blocks('permutation', { seed, stream, step: epoch }), 0);
  const order = Int32Array.from({ length: n }, (_, i) => i);
  for (let i = n - 1; i > 0; i--) {
    const j = words.below(i + 1);
    const kept = order[i]!;
    order[i] = order[j]!;
    order[j] = kept;
  }
  return order;
}

/** Uniforms of (0, 1) as `[samples.length, rowSize]`: row i is the noise of sample `samples[i]`, rounded to float32. */
export function uniformBatch(key: NoiseKey, samples: ArrayLike<number>, rowSize: number): Float32Array {
  const rows = drawBatch('uniform', key, samples, rowSize);
  // Rounding to 24 bits can reach 1, which the open interval excludes.
  const largest = 1 - 2 ** -24;
  for (let i = 0; i < rows.length; i++) if (rows[i]! > largest) rows[i] = largest;
  return rows;
}

/** Draws from N(0, 1) as `[samples.length, rowSize]`: row i is the noise of sample `samples[i]`, rounded to float32. */
export function normalBatch(key: NoiseKey, samples: ArrayLike<number>, rowSize: number): Float32Array {
  return drawBatch('normal', key, samples, rowSize);
}

/**
 * Draws −log(−log u) from the standard Gumbel distribution as `[samples.length, rowSize]`: row i is the noise of sample
 * `samples[i]`. The logarithms are taken in float64 and only the result is rounded to float32, so the tails survive
 * (float32 uniforms would cut them: arXiv 2409.02908).
 */
export function gumbelBatch(key: NoiseKey, samples: ArrayLike<number>, rowSize: number): Float32Array {
  return drawBatch('gumbel', key, samples, rowSize);
}

function draw(distribution: Distribution, key: NoiseKey, sample: number, count: number): Float64Array {
  const out = new Float64Array(count);
  fill(out, distribution, new Blocks(distribution, key), sample, 0, count);
  return out;
}

function drawBatch(distribution: Distribution, key: NoiseKey, samples: ArrayLike<number>, rowSize: number) {
  const out = new Float32Array(samples.length * rowSize);
  const blocks = new Blocks(distribution, key);
  for (let row = 0; row < samples.length; row++) {
    fill(out, distribution, blocks, samples[row]!, row * rowSize, rowSize);
  }
  return out;
}

/** Draws 2j and 2j + 1 of a sample come from its block j, which is what makes a prefix independent of the count. */
function fill(
  out: Float64Array | Float32Array,
  distribution: Distribution,
  blocks: Blocks,
  sample: number,
  start: number,
  count: number,
): void {
  const transform: Transform = TRANSFORMS[distribution];
  const pair = new Float64Array(2);
  const words = blocks.words;
  for (let i = 0; i < count; i += 2) {
    blocks.load(sample, i / 2);
    transform(openUniform(words[0]!, words[1]!), openUniform(words[2]!, words[3]!), pair);
    out[start + i] = pair[0]!;
    if (i + 1 < count) out[start + i + 1] = pair[1]!;
  }
}

/** 53 of 64 random bits as a multiple of 2^-53; zero, which the open interval excludes, becomes 2^-54. */
function openUniform(high: number, low: number): number {
  const bits = high * 2 ** 21 + (low >>> 11);
  return bits === 0 ? 2 ** -54 : bits * 2 ** -53;
}

/**
 * The Philox blocks of one key. Philox key = the seed; counter = (block, sample, step, hash of kind and stream).
 * The kind takes part so that, say, uniforms and normals of one stream do not share their bits.
 */
class Blocks {
  readonly words = new Uint32Array(4);
  readonly #seedLow: number;
  readonly #seedHigh: number;
  readonly #step: number;
  readonly #stream: number;

  constructor(kind: Distribution | 'integer' | 'permutation', key: NoiseKey) {
    if (!Number.isSafeInteger(key.seed) || key.seed < 0) {
      throw new UserError(`seed ${key.seed}: give a whole number from 0 to ${Number.MAX_SAFE_INTEGER}`);
    }
    this.#seedLow = key.seed >>> 0;
    this.#seedHigh = Math.floor(key.seed / 2 ** 32);
    this.#step = requireWord('step', key.step);
    this.#stream = fnv1a(`${kind}/${key.stream}`);
  }

  /**
   * Computes block `block` of sample `sample`, any safe integer from 0, into `words`. What a sample index has above 32
   * bits goes into the word of the stream, times an odd number: no two samples of a stream share a counter.
   */
  load(sample: number, block: number): void {
    if (!Number.isSafeInteger(sample) || sample < 0)
      throw new RangeError(`sample index ${sample} is not a whole number from 0 to 2^53 − 1`);
    const high = Math.floor(sample / 2 ** 32);
    const stream = (this.#stream ^ Math.imul(high, 0x9e3779b1)) >>> 0;
    philox4x32(this.words, block, sample >>> 0, this.#step, stream, this.#seedLow, this.#seedHigh);
  }
}

/** Reads the blocks of one sample as a sequence of 32-bit words. */
class WordReader {
  readonly #blocks: Blocks;
  readonly #sample: number;
  #position = 0;

  constructor(blocks: Blocks, sample: number) {
    this.#blocks = blocks;
    this.#sample = sample;
  }

  /** An unbiased whole number under `bound`: words beyond the last full multiple of `bound` are thrown away. */
  below(bound: number): number {
    if (!Number.isInteger(bound) || bound < 1 || bound > 2 ** 31) {
      throw new RangeError(`bound ${bound} is not a whole number from 1 to 2^31`);
    }
    const limit = 2 ** 32 - (2 ** 32 % bound);
    let word = this.#next();
    while (word >= limit) word = this.#next();
    return word % bound;
  }

  #next(): number {
    const lane = this.#position & 3;
    if (lane === 0) this.#blocks.load(this.#sample, this.#position / 4);
    this.#position++;
    return this.#blocks.words[lane]!;
  }
}

function requireWord(what: string, value: number): number {
  if (value >>> 0 !== value) throw new RangeError(`${what} ${value} is not a whole number from 0 to 2^32 − 1`);
  return value;
}

/** The 32-bit FNV-1a hash of a text's UTF-8 bytes. */
function fnv1a(text: string): number {
  let hash = 0x811c9dc5;
  for (const byte of new TextEncoder().encode(text)) hash = Math.imul(hash ^ byte, 0x01000193);
  return hash >>> 0;
}
