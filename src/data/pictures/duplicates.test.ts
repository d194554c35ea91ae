/** What counts as the same picture, and that no pair of near ones is missed. */

import fc from 'fast-check';
import sharp from 'sharp';
import { expect, it } from 'vitest';
import { faceAttributes } from '../sources/faces/attributes.ts';
import { drawFace } from '../sources/faces/drawing.ts';
import { inspect } from './decode.ts';
import { groupEqual, groupNear, type Impression, impressionOf, NEAR_BITS } from './duplicates.ts';

async function impression(encoded: Uint8Array): Promise<Impression> {
  const seen = await inspect(encoded);
  if (typeof seen === 'string') throw new Error(seen);
  return impressionOf(seen.thumbnail);
}

it('finds copies that were scaled, compressed or slightly lightened, and keeps other pictures apart', async () => {
  const faces = await Promise.all([0, 1, 2, 3, 4, 5].map((i) => drawFace(faceAttributes(5, i), 128)));
  const encoded = (i: number) => {
    const { data, width, height } = faces[i]!;
    return sharp(data, { raw: { width, height, channels: 3 } });
  };
  const pictures = await Promise.all([
    ...faces.map((_, i) => encoded(i).png().toBuffer()),
    encoded(2).resize(90, 90).jpeg({ quality: 70 }).toBuffer(),
    encoded(4).modulate({ brightness: 1.01 }).webp().toBuffer(),
  ]);
  expect(groupNear(await Promise.all(pictures.map(impression)))).toEqual([
    [2, 6],
    [4, 7],
  ]);
});

it('agrees with comparing all pairs', () => {
  const hashes = fc.array(fc.bigInt({ min: 0n, max: (1n << 64n) - 1n }), { minLength: 1, maxLength: 6 });
  const flips = fc.array(fc.integer({ min: 0, max: 63 }), { maxLength: 8 });
  fc.assert(
    fc.property(hashes, fc.array(fc.tuple(fc.nat(5), flips), { maxLength: 30 }), (bases, variants) => {
      const colors = new Uint8Array(192);
      const all = [
        ...bases,
        ...variants.map(([base, bits]) =>
          bits.reduce((hash, bit) => hash ^ (1n << BigInt(bit)), bases[base % bases.length]!),
        ),
      ].map((hash) => ({ hash, colors }));
      expect(groupNear(all)).toEqual(groupEqual(components(all).map(String)));
    }),
    { numRuns: 60 },
  );
});

/** The slow way: the least index reachable through near pairs. */
function components(all: readonly Impression[]): number[] {
  const root = all.map((_, i) => i);
  const bits = (x: bigint) => x.toString(2).replaceAll('0', '').length;
  for (let changed = true; changed; ) {
    changed = false;
    for (let i = 0; i < all.length; i++)
      for (let j = 0; j < all.length; j++)
        if (bits(all[i]!.hash ^ all[j]!.hash) <= NEAR_BITS && root[j]! < root[i]!) {
          root[i] = root[j]!;
          changed = true;
        }
  }
  return root;
}
