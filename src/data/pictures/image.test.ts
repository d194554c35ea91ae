/** Planes against hand-written numbers, and the round trip over random pictures. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { fromPlanar, psnr, type RgbImage, toPlanar } from './image.ts';

const image = fc
  .tuple(fc.integer({ min: 1, max: 5 }), fc.integer({ min: 1, max: 5 }))
  .chain(([width, height]) =>
    fc
      .uint8Array({ minLength: 3 * width * height, maxLength: 3 * width * height })
      .map((data) => ({ width, height, data })),
  );

describe('planes', () => {
  it('puts channels first and maps bytes to [-1, 1]', () => {
    const pixels: RgbImage = { width: 2, height: 1, data: Uint8Array.of(0, 51, 102, 255, 204, 153) };
    const expected = [-1, 1, -0.6, 0.6, -0.2, 0.2];
    const planes = toPlanar([pixels]);
    expect(planes.length).toBe(6);
    for (const [i, x] of expected.entries()) expect(planes[i]).toBeCloseTo(x, 6);
  });

  it('keeps pictures of a batch apart', () => {
    const black: RgbImage = { width: 1, height: 1, data: Uint8Array.of(0, 0, 0) };
    const white: RgbImage = { width: 1, height: 1, data: Uint8Array.of(255, 255, 255) };
    expect([...toPlanar([black, white, black])]).toEqual([-1, -1, -1, 1, 1, 1, -1, -1, -1]);
  });

  it('comes back byte for byte', () => {
    fc.assert(
      fc.property(image, (a) => {
        const twice = fromPlanar(toPlanar([a, a]), 2, a.height, a.width);
        expect(twice.map((b) => [...b.data])).toEqual([[...a.data], [...a.data]]);
      }),
    );
  });

  it('clamps what leaves the range and rounds to the nearest byte', () => {
    const [out] = fromPlanar(Float32Array.of(-7, 7, 0.003), 1, 1, 1);
    expect([...out!.data]).toEqual([0, 255, 128]);
  });

  it('refuses mixed sizes and wrong lengths', () => {
    const a: RgbImage = { width: 1, height: 1, data: new Uint8Array(3) };
    const b: RgbImage = { width: 2, height: 1, data: new Uint8Array(6) };
    expect(() => toPlanar([a, b])).toThrow('1x1 and 2x1');
    expect(() => fromPlanar(new Float32Array(5), 1, 1, 2)).toThrow('[1, 3, 1, 2]');
  });
});

describe('psnr', () => {
  it('is 20 log10(255 / d) for a constant difference d', () => {
    const a: RgbImage = { width: 2, height: 2, data: new Uint8Array(12).fill(100) };
    const b: RgbImage = { width: 2, height: 2, data: new Uint8Array(12).fill(110) };
    expect(psnr(a, b)).toBeCloseTo(28.1308, 4);
    expect(psnr(a, a)).toBe(Number.POSITIVE_INFINITY);
  });
});
