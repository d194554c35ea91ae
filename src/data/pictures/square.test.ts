import sharp from 'sharp';
import { expect, it } from 'vitest';
import { makeRecipe } from '../../recipe/recipe.ts';
import { augmentation } from './augment.ts';
import { middleSquare } from './crop.ts';
import { toSquare } from './decode.ts';
import { lanczos } from './square.ts';

/** A picture whose red rises along x and whose green rises along y, linearly, from `from` by `step` a pixel. */
function ramp(width: number, height: number, step: number): Promise<Buffer> {
  const data = Uint8Array.from({ length: 3 * width * height }, (_, i) => {
    const [x, y] = [Math.floor(i / 3) % width, Math.floor(i / 3 / width)];
    return [x * step, y * step, 0][i % 3]!;
  });
  return sharp(data, { raw: { width, height, channels: 3 } })
    .png()
    .toBuffer();
}

it.each([
  [40, 30],
  [41, 30],
  [30, 41],
  [33, 32],
  [160, 120],
])('of %ix%i the square is the exact middle', async (width, height) => {
  const step = 255 / Math.max(width, height);
  const { data } = await toSquare(await ramp(width, height, step), 8);
  const short = Math.min(width, height);
  const mean = (channel: number) => {
    let sum = 0;
    for (let i = channel; i < data.length; i += 3) sum += data[i]!;
    return sum / 64;
  };
  // The mean of a ramp is its value in the middle, wherever the middle is: a tenth of a pixel would show.
  expect(Math.abs(mean(0) - (step * (width - 1)) / 2)).toBeLessThan(0.1 * step + 0.5);
  expect(Math.abs(mean(1) - (step * (height - 1)) / 2)).toBeLessThan(0.1 * step + 0.5);
  const left = (width - short) / 2;
  const first = step * (left + short / 16 - 0.5);
  expect(Math.abs(data[3 * 8 * 4]! - first)).toBeLessThan(2.5);
});

it('reduces by much as it does by little', async () => {
  const [width, height] = [480, 480];
  const data = Uint8Array.from({ length: 3 * width * height }, (_, i) => {
    const [x, y] = [Math.floor(i / 3) % width, Math.floor(i / 3 / width)];
    return 128 + 60 * Math.sin(x / 9 + (i % 3)) + 60 * Math.cos((x + 2 * y) / 31);
  });
  const png = await sharp(data, { raw: { width, height, channels: 3 } })
    .png()
    .toBuffer();
  const exact = lanczos(data, width, height, middleSquare(width, height), 16);
  const { data: square } = await toSquare(png, 16);
  const squared = square.reduce((sum, value, i) => sum + (value - exact[i]!) ** 2, 0);
  expect(10 * Math.log10((255 ** 2 * exact.length) / squared)).toBeGreaterThan(45);
});

const seen = (crop: 'pad' | 'cover', view: number) => {
  const settings = { ...makeRecipe('nano').pictures, crop };
  return augmentation(settings, { seed: 0, view }, '0'.repeat(32), 64).crop;
};

it('pads the whole picture with the background', async () => {
  const red = await sharp({ create: { width: 32, height: 16, channels: 3, background: '#ff0000' } })
    .png()
    .toBuffer();
  const { data } = await toSquare(red, 8, { crop: seen('pad', 0), background: '#00ff00' });
  const column = Array.from({ length: 8 }, (_, y) => (data[3 * (8 * y + 4)]! > 128 ? 'red' : 'green'));
  expect(column).toEqual(['green', 'green', 'red', 'red', 'red', 'red', 'green', 'green']);
  const line = await sharp({ create: { width: 4000, height: 1, channels: 3, background: '#ff0000' } })
    .png()
    .toBuffer();
  expect((await toSquare(line, 8, { crop: seen('pad', 0) })).data.length).toBe(192);
});

it('covers a long picture by squares in turn, the middle one first', () => {
  const places = [0, 1, 2, 3].map((view) => seen('cover', view)!(30, 10).left);
  expect(places).toEqual([10, 20, 0, 10]);
  expect(seen('cover', 1)!(10, 30)).toEqual({ left: 0, top: 20, width: 10, height: 10 });
  expect(seen('cover', 5)!(16, 16)).toEqual({ left: 0, top: 0, width: 16, height: 16 });
});
