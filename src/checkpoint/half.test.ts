/** Half-precision formats against known values and, for every bit pattern, against float32 bit assembly. */
import { describe, expect, it } from 'vitest';
import { bfloat16ToFloat32, float16ToFloat32, float32ToFloat16, wordsOver } from './half.ts';

const ALL = Uint16Array.from({ length: 65_536 }, (_, bits) => bits);

/** The float32 with the same sign, exponent and fraction, put together from bits (no arithmetic on values). */
function assembled(bits: number): number {
  const sign = (bits & 0x8000) << 16;
  let exponent = (bits >>> 10) & 31;
  let fraction = bits & 1023;
  if (exponent === 0 && fraction === 0) return fromBits(sign);
  if (exponent === 31) return fromBits(sign | 0x7f800000 | (fraction << 13));
  if (exponent === 0) {
    exponent = 1;
    while ((fraction & 1024) === 0) {
      fraction <<= 1;
      exponent--;
    }
  }
  return fromBits(sign | ((exponent + 112) << 23) | ((fraction & 1023) << 13));
}

function fromBits(bits: number): number {
  return new Float32Array(Int32Array.of(bits).buffer)[0]!;
}

describe('float16', () => {
  it('gives the values of the standard', () => {
    const bits = Uint16Array.of(0x3c00, 0xc000, 0x7bff, 0x0001, 0x0400, 0x3555, 0x7c00, 0xfc00, 0x8000);
    const values = [1, -2, 65504, 2 ** -24, 2 ** -14, 0.333251953125, Infinity, -Infinity, -0];
    expect([...float16ToFloat32(bits)]).toEqual(values);
  });

  it('agrees with bit assembly on all 65536 patterns', () => {
    expect(float16ToFloat32(ALL)).toEqual(Float32Array.from(ALL, assembled));
  });

  it('widens in the memory whose latter half the patterns are', () => {
    const memory = new ArrayBuffer(4 * ALL.length);
    const bits = new Uint16Array(memory, 2 * ALL.length);
    bits.set(ALL);
    const values = float16ToFloat32(bits, wordsOver(bits));
    expect(values.buffer).toBe(memory);
    expect(values).toEqual(Float32Array.from(ALL, assembled));
  });
});

describe('rounding to float16', () => {
  it('gives every value of the format back, and of the values between two the nearer', () => {
    const finite = ALL.filter((bits) => (bits & 0x7c00) !== 0x7c00);
    const values = float16ToFloat32(finite);
    expect(float32ToFloat16(values)).toEqual(finite);
    for (const sign of [0, 0x8000]) {
      for (let bits = sign; bits < sign + 0x7bff; bits++) {
        const [a = 0, b = 0] = float16ToFloat32(Uint16Array.of(bits, bits + 1));
        const middle = (a + b) / 2;
        const even = bits % 2 === 0 ? bits : bits + 1;
        const near = Float32Array.of(a + (b - a) * 0.49, middle, a + (b - a) * 0.51);
        const rounded = float32ToFloat16(near);
        if (rounded[0] !== bits || rounded[1] !== even || rounded[2] !== bits + 1)
          throw new Error(`${near} became ${rounded} between ${bits} and ${bits + 1}`);
      }
    }
  });

  it('makes what is too large infinite and keeps NaN', () => {
    const rounded = float32ToFloat16(Float32Array.of(65519, 65520, -1e9, Number.NaN, 1e-9, -0));
    expect([...float16ToFloat32(rounded)]).toEqual([65504, Infinity, -Infinity, Number.NaN, 0, -0]);
  });
});

describe('bfloat16', () => {
  it('is the upper half of float32', () => {
    const bits = Uint16Array.of(0x3f80, 0xc049, 0x7f80, 0x8000, 0x0001);
    expect([...bfloat16ToFloat32(bits)]).toEqual([1, -3.140625, Infinity, -0, 2 ** -133]);
    expect(Number.isNaN(bfloat16ToFloat32(Uint16Array.of(0x7fc0))[0])).toBe(true);
  });
});
