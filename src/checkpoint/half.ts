/** 16-bit floating point formats: widened to float32 without loss, and float32 rounded to binary16. */

/** The float32 bits of every bit pattern of binary16, made at the first use: a model has many more numbers. */
let words16: Uint32Array | undefined;

/** IEEE 754 binary16 bit patterns to their values, written to `words`. */
export function float16ToFloat32(bits: Uint16Array, words = new Uint32Array(bits.length)): Float32Array {
  words16 ??= float32Words();
  for (let i = 0; i < bits.length; i++) words[i] = words16[bits[i]!]!;
  return new Float32Array(words.buffer);
}

/** bfloat16 bit patterns, the upper halves of float32 ones, to their values, written to `words`. */
export function bfloat16ToFloat32(bits: Uint16Array, words = new Uint32Array(bits.length)): Float32Array {
  for (let i = 0; i < bits.length; i++) words[i] = bits[i]! << 16;
  return new Float32Array(words.buffer);
}

/**
 * The memory whose latter half bit patterns are, to write their values to: no pattern is overwritten before it was
 * read. Touching new memory costs more than widening.
 */
export const wordsOver = (bits: Uint16Array<ArrayBuffer>): Uint32Array<ArrayBuffer> => new Uint32Array(bits.buffer);

/**
 * Binary16 has a sign, 5 exponent bits with bias 15 and 10 fraction bits; float32 8 exponent bits with bias 127 and 23
 * fraction bits. Exponent 0 is subnormal there and normal here; 31 is infinite or not a number.
 */
function float32Words(): Uint32Array {
  const values = new Float32Array(2 ** 16);
  const words = new Uint32Array(values.buffer);
  for (let pattern = 0; pattern < words.length; pattern++) {
    const exponent = pattern & 0x7c00;
    const fraction = pattern & 0x3ff;
    if (exponent === 0) values[pattern] = fraction * 2 ** -24;
    else if (exponent === 0x7c00) words[pattern] = 0x7f800000 | (fraction << 13);
    else words[pattern] = (exponent << 13) + (112 << 23) + (fraction << 13);
    words[pattern]! |= (pattern & 0x8000) << 16;
  }
  return words;
}

/** The largest finite value of binary16. */
const LARGEST_FLOAT16 = 65504;

/** Whether none of the values is too large for binary16. NaN counts as too large. */
export const fitsFloat16 = (values: Float32Array): boolean => values.every((x) => Math.abs(x) <= LARGEST_FLOAT16);

/** Float32 bits of 2^-14, from where on values of binary16 are normal, of 2^16, which is none any more, and of 0.5. */
const [SMALLEST_NORMAL, TOO_LARGE, HALF] = [0x38800000, 0x47800000, 0x3f000000];

/** Values to the nearest IEEE 754 binary16 bit patterns, ties to even. What is too large becomes infinite. */
export function float32ToFloat16(values: Float32Array): Uint16Array<ArrayBuffer> {
  const bits = new Uint16Array(values.length);
  const words = new Uint32Array(values.buffer, values.byteOffset, values.length);
  const small = new Float32Array(1);
  const smallWord = new Uint32Array(small.buffer);
  for (let i = 0; i < values.length; i++) {
    const sign = (words[i]! >>> 16) & 0x8000;
    const x = words[i]! & 0x7fffffff;
    if (x >= TOO_LARGE) bits[i] = sign | (x > 0x7f800000 ? 0x7e00 : 0x7c00);
    // A fraction that rounds up to 1 carries into the exponent, where it belongs: also into that of infinity.
    else if (x >= SMALLEST_NORMAL) bits[i] = sign | ((x - 0x38000000 + 0xfff + ((x >>> 13) & 1)) >>> 13);
    else {
      // Float32 of one half and more are multiples of 2^-24, as the subnormal values of binary16 are.
      small[0] = Math.abs(values[i]!) + 0.5;
      bits[i] = sign | (smallWord[0]! - HALF);
    }
  }
  return bits;
}

/** The largest finite value of binary16 with 8 fraction bits: 65408. */
const LARGEST_SHORT = 0x7bfc;

/**
 * IEEE 754 binary16 bit patterns of finite values to those whose two lowest bits are 0: 8 of 10 fraction bits, the
 * nearest, ties to even. Files of such weights pack by a ninth better.
 */
export function shortFloat16(bits: Uint16Array): Uint16Array<ArrayBuffer> {
  return Uint16Array.from(bits, (pattern) => {
    const size = pattern & 0x7fff;
    const rounded = (size + 1 + ((size >>> 2) & 1)) & ~3;
    return (pattern & 0x8000) | Math.min(rounded, LARGEST_SHORT);
  });
}
