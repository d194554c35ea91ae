/** Views of pictures: within the published bounds, and the same for the same numbers. */

import fc from 'fast-check';
import { expect, it } from 'vitest';
import { contentIdOf } from '../sources/inventory.ts';
import { augmentation, mirror, randomCrop } from './augment.ts';

const unit = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true });
const draws = fc.record({ along: unit, down: unit, size: unit, x: unit, y: unit });

it('crops squares of eight ninths of the short side and more, inside the picture', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 3000 }),
      fc.integer({ min: 1, max: 3000 }),
      fc.integer({ min: 8, max: 512 }),
      draws,
      (width, height, r, u) => {
        const crop = randomCrop(r, u)(width, height);
        const short = Math.min(width, height);
        expect(crop.width).toBe(crop.height);
        expect(crop.width).toBeLessThanOrEqual(short);
        expect(crop.width).toBeGreaterThanOrEqual(Math.floor((short * r) / Math.round((9 / 8) * r)));
        expect([crop.left >= 0, crop.top >= 0]).toEqual([true, true]);
        expect(crop.left + crop.width).toBeLessThanOrEqual(width);
        expect(crop.top + crop.height).toBeLessThanOrEqual(height);
        // The square lies in the middle quarter of what the long side has to spare.
        const spare = Math.max(width, height) - short;
        const offset = width > height ? crop.left : crop.top;
        expect(offset).toBeGreaterThanOrEqual(Math.floor((3 * spare) / 8));
        expect(offset + crop.width).toBeLessThanOrEqual(Math.ceil((5 * spare) / 8) + short + 1);
      },
    ),
  );
});

it('is a function of seed, view and content, and spreads over all it may be', () => {
  const settings = { crop: 'random', flip: true } as const;
  const view = (seed: number, view: number, content: string) => {
    const { crop, flip } = augmentation(settings, { seed, view }, contentIdOf(Buffer.from(content)), 64);
    return { ...crop!(300, 200), flip };
  };
  expect(view(1, 2, 'a')).toEqual(view(1, 2, 'a'));
  const many = Array.from({ length: 400 }, (_, i) => view(1, i % 20, `${Math.floor(i / 20)}`));
  expect(new Set(many.map((one) => JSON.stringify(one))).size).toBeGreaterThan(300);
  const mirrored = many.filter(({ flip }) => flip).length;
  // Binomial(400, ½): six standard deviations are 60.
  expect(Math.abs(mirrored - 200)).toBeLessThan(60);
  for (const [other, again] of [
    [view(2, 2, 'a'), view(1, 2, 'a')],
    [view(1, 3, 'a'), view(1, 2, 'a')],
    [view(1, 2, 'b'), view(1, 2, 'a')],
  ])
    expect(other).not.toEqual(again);
  expect(augmentation({ crop: 'centre', flip: false }, { seed: 1, view: 5 }, 'ab', 64)).toEqual({ flip: false });
});

it('mirrors left and right, and twice gives the picture back', () => {
  const picture = Uint8Array.from({ length: 3 * 3 * 3 }, (_, i) => i);
  const mirrored = picture.slice();
  mirror(mirrored, 3);
  expect([...mirrored.subarray(0, 9)]).toEqual([6, 7, 8, 3, 4, 5, 0, 1, 2]);
  mirror(mirrored, 3);
  expect(mirrored).toEqual(picture);
});
