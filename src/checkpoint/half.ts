/** 16-bit floating point formats: widened to float32 without loss, and float32 rounded to binary16. */

/** The value of every bit pattern, once they are wanted: models have millions, and computing each takes its time. */
let float16Values: Float32Array | undefined;

/** IEEE 754 binary16 bit patterns to their values. */
export function float16ToFloat32(bits: Uint16Array): Float32Array {
  float16Values ??= Float32Array.from({ length: 2 ** 16 }, (_, pattern) => float16Value(pattern));
  const values = new Float32Array(bits.length);
  for (let i = 0; i < bits.length; i++) values[i] = float16Values[bits[i]!]!;
  return values;
}

/** bfloat16 bit patterns, the upper halves of float32 ones, to their values. */
export function bfloat16ToFloat32(bits: Uint16Array): Float32Array {
  const words = new Uint32Array(bits.length);
  for (let i = 0; i < bits.length; i++) words[i] = bits[i]! << 16;
  return new Float32Array(words.buffer);
}

/** Sign, 5 exponent bits with bias 15, 10 fraction bits; exponent 0 is subnormal, 31 infinite or not a number. */
function float16Value(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >>> 10) & 0x1f;
  const fraction = bits & 0x3ff;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  if (exponent === 31) return fraction === 0 ? sign * Infinity : Number.NaN;
  return sign * (1024 + fraction) * 2 ** (exponent - 25);
}

/** Below this the values of binary16 are whole multiples of 2^-24. */
const SMALLEST_NORMAL = 2 ** -14;
/** The largest finite value of binary16. */
export const LARGEST_FLOAT16 = 65504;

/** Values to the nearest IEEE 754 binary16 bit patterns, ties to even. What is too large becomes infinite. */
export function float32ToFloat16(values: Float32Array): Uint16Array<ArrayBuffer> {
  const bits = new Uint16Array(values.length);
  for (let i = 0; i < values.length; i++) bits[i] = float16Bits(values[i]!);
  return bits;
}

function float16Bits(value: number): number {
  const sign = value < 0 || Object.is(value, -0) ? 0x8000 : 0;
  const x = Math.abs(value);
  if (Number.isNaN(x)) return sign | 0x7e00;
  if (x < SMALLEST_NORMAL) return sign | toEven(x * 2 ** 24);
  if (x >= 65520) return sign | 0x7c00;
  const exponent = Math.min(15, Math.floor(Math.log2(x)));
  // A fraction that rounds up to 1 carries into the exponent, where it belongs.
  return sign | (((exponent + 15) << 10) + toEven((x / 2 ** exponent - 1) * 1024));
}

function toEven(x: number): number {
  const below = Math.floor(x);
  const over = x - below;
  return over > 0.5 || (over === 0.5 && below % 2 === 1) ? below + 1 : below;
}
