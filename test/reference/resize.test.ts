/** Resizing: what must stay as it is, symmetry, and crops. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { RgbImage } from '../../src/data/pictures/image.ts';
import { cropCenter, resizeBicubic, resizeShortSide } from './resize.ts';

const side = fc.integer({ min: 1, max: 12 });

const picture = fc
  .tuple(side, side)
  .chain(([width, height]) =>
    fc
      .uint8Array({ minLength: 3 * width * height, maxLength: 3 * width * height })
      .map((data) => ({ width, height, data })),
  );

const mirrored = ({ width, height, data }: RgbImage): RgbImage => ({
  width,
  height,
  data: data.map(
    (_, i) => data[3 * (Math.floor(i / 3 / width) * width + width - 1 - (Math.floor(i / 3) % width)) + (i % 3)]!,
  ),
});

describe('resizeBicubic', () => {
  it('leaves a picture of the right size alone, and one colour one colour', () => {
    fc.assert(
      fc.property(picture, side, side, (image, width, height) => {
        expect(resizeBicubic(image, image.width, image.height)).toBe(image);
        const plain = { ...image, data: image.data.map((_, i) => [7, 130, 255][i % 3]!) };
        expect([...resizeBicubic(plain, width, height).data]).toEqual(
          Array.from({ length: 3 * width * height }, (_, i) => [7, 130, 255][i % 3]),
        );
      }),
    );
  });

  it('treats left and right alike', () => {
    fc.assert(
      fc.property(picture, side, side, (image, width, height) => {
        const a = mirrored(resizeBicubic(image, width, height));
        const b = resizeBicubic(mirrored(image), width, height);
        // Rounding of a tie in the window may differ by one level, in each of the two passes.
        a.data.forEach((value, i) => {
          expect(Math.abs(value - b.data[i]!)).toBeLessThanOrEqual(2);
        });
      }),
    );
  });

  it('weighs every source pixel when it shrinks', () => {
    // One white column of 32 is a 32nd of the light, wherever it stands.
    for (let x = 12; x < 20; x++) {
      const data = new Uint8Array(32 * 3).map((_, i) => (Math.floor(i / 3) === x ? 255 : 0));
      const small = resizeBicubic({ width: 32, height: 1, data }, 4, 1);
      const light = [0, 3, 6, 9].reduce((sum, i) => sum + small.data[i]!, 0);
      expect(light).toBeGreaterThan(25);
    }
  });
});

describe('resizeShortSide and cropCenter', () => {
  it('makes squares of any picture', () => {
    fc.assert(
      fc.property(picture, side, (image, size) => {
        const resized = resizeShortSide(image, size);
        expect(Math.min(resized.width, resized.height)).toBe(size);
        expect(cropCenter(resized, size).data).toHaveLength(3 * size * size);
      }),
    );
  });

  it('cuts the middle out and refuses what is not there', () => {
    const data = Uint8Array.from({ length: 4 * 3 }, (_, i) => Math.floor(i / 3));
    expect([...cropCenter({ width: 4, height: 1, data }, 1).data]).toEqual([1, 1, 1]);
    expect(() => cropCenter({ width: 4, height: 1, data }, 2)).toThrow(RangeError);
  });
});
