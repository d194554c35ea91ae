/** Philox against the published known-answer vectors and against a second implementation in BigInt arithmetic. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { philox4x32 } from './philox.ts';

type Counter = readonly [number, number, number, number];
type Key = readonly [number, number];

function block(counter: Counter, key: Key): string {
  const out = new Uint32Array(4);
  philox4x32(out, ...counter, ...key);
  return Array.from(out, (word) => word.toString(16).padStart(8, '0')).join(' ');
}

/** The paper's definition, word for word, in arbitrary precision. */
function bigintBlock(counter: Counter, key: Key): string {
  const word = (n: bigint): bigint => n & 0xffffffffn;
  let [c0, c1, c2, c3] = counter.map(BigInt) as [bigint, bigint, bigint, bigint];
  let [k0, k1] = key.map(BigInt) as [bigint, bigint];
  for (let round = 0; round < 10; round++) {
    const p0 = 0xd2511f53n * c0;
    const p1 = 0xcd9e8d57n * c2;
    [c0, c1, c2, c3] = [(p1 >> 32n) ^ c1 ^ k0, word(p1), (p0 >> 32n) ^ c3 ^ k1, word(p0)];
    [k0, k1] = [word(k0 + 0x9e3779b9n), word(k1 + 0xbb67ae85n)];
  }
  return [c0, c1, c2, c3].map((n) => n.toString(16).padStart(8, '0')).join(' ');
}

describe('philox4x32', () => {
  it.each<[Counter, Key, string]>([
    [[0, 0, 0, 0], [0, 0], '6627e8d5 e169c58d bc57ac4c 9b00dbd8'],
    [[0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff], [0xffffffff, 0xffffffff], '408f276d 41c83b0e a20bc7c6 6d5451fd'],
    [[0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344], [0xa4093822, 0x299f31d0], 'd16cfe09 94fdcceb 5001e420 24126ea1'],
  ])('gives the published answer for counter %j', (counter, key, expected) => {
    expect(block(counter, key)).toBe(expected);
  });

  it('agrees with arbitrary-precision arithmetic on any counter and key', () => {
    const word = fc.integer({ min: 0, max: 0xffffffff });
    fc.assert(
      fc.property(fc.tuple(word, word, word, word), fc.tuple(word, word), (counter, key) => {
        expect(block(counter, key)).toBe(bigintBlock(counter, key));
      }),
      { numRuns: 2000 },
    );
  });
});
