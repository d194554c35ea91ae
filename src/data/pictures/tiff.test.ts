/** Kinds of TIFF files: each becomes the right picture or is left out with its reason. */

import sharp from 'sharp';
import { expect, it } from 'vitest';
import { tiffOf } from '../../../test/support/tiff.ts';
import { inspect, toSquare } from './decode.ts';
import { tiffTrouble } from './tiff.ts';

const side = 16;
const BITS = 258;
const PHOTOMETRIC = 262;
const SAMPLES = 277;
const EXTRA = 338;
const FORMAT = 339;

/** All pixels of these bytes. */
const filled = (bytes: readonly number[], tags: Readonly<Record<number, readonly number[]>>): Buffer =>
  tiffOf({ width: side, height: side, tags, data: Buffer.concat(Array(side * side).fill(Buffer.from(bytes))) });

it.each<[string, Buffer, readonly number[]]>([
  ['grey', filled([100], { [BITS]: [8], [PHOTOMETRIC]: [1] }), [100, 100, 100]],
  ['grey whose zero is white', filled([100], { [BITS]: [8], [PHOTOMETRIC]: [0] }), [155, 155, 155]],
  ['grey of 16 bits', filled([0, 100], { [BITS]: [16], [PHOTOMETRIC]: [1] }), [100, 100, 100]],
  ['RGB', filled([10, 120, 230], { [BITS]: [8, 8, 8], [PHOTOMETRIC]: [2], [SAMPLES]: [3] }), [10, 120, 230]],
  [
    'RGB with transparency',
    filled([10, 120, 230, 0], { [BITS]: [8, 8, 8, 8], [PHOTOMETRIC]: [2], [SAMPLES]: [4], [EXTRA]: [2] }),
    [255, 255, 255],
  ],
  [
    'RGB with a band of unknown meaning',
    filled([10, 120, 230, 0], { [BITS]: [8, 8, 8, 8], [PHOTOMETRIC]: [2], [SAMPLES]: [4], [EXTRA]: [0] }),
    [10, 120, 230],
  ],
  [
    'RGB with two bands of unknown meaning',
    filled([10, 120, 230, 4, 5], { [BITS]: Array(5).fill(8), [PHOTOMETRIC]: [2], [SAMPLES]: [5], [EXTRA]: [0, 0] }),
    [10, 120, 230],
  ],
  [
    'grey with two bands of unknown meaning',
    filled([100, 4, 5], { [BITS]: [8, 8, 8], [PHOTOMETRIC]: [1], [SAMPLES]: [3], [EXTRA]: [0, 0] }),
    [100, 100, 100],
  ],
  // L 53.24, a 80, b 67: the red of sRGB.
  [
    'Lab of 16 bits',
    filled([0x4a, 0x88, 0, 80, 0, 67], { [BITS]: [16, 16, 16], [PHOTOMETRIC]: [8], [SAMPLES]: [3] }),
    [255, 1, 1],
  ],
])('reads %s', async (_, encoded, colour) => {
  expect(await inspect(encoded)).toMatchObject({ format: 'tiff', width: side, height: side });
  expect([...(await toSquare(encoded, 4)).data.subarray(0, 3)]).toEqual(colour);
});

it.each<[string, Buffer, RegExp]>([
  ['float', filled([0, 0, 200, 66], { [BITS]: [32], [PHOTOMETRIC]: [1], [FORMAT]: [3] }), /floating-point/],
  ['half', filled([0, 60], { [BITS]: [16], [PHOTOMETRIC]: [1], [FORMAT]: [3] }), /floating-point/],
  ['signed', filled([0, 60], { [BITS]: [16], [PHOTOMETRIC]: [1], [FORMAT]: [2] }), /signed integers/],
  ['32-bit', filled([0, 0, 0, 60], { [BITS]: [32], [PHOTOMETRIC]: [1] }), /samples of 32 bits/],
  ['YCbCr', filled([90, 128, 128], { [BITS]: [8, 8, 8], [PHOTOMETRIC]: [6], [SAMPLES]: [3] }), /YCbCr without JPEG/],
  ['Lab of 8 bits', filled([90, 1, 1], { [BITS]: [8, 8, 8], [PHOTOMETRIC]: [8], [SAMPLES]: [3] }), /Lab of 8 bits/],
  ['ICC Lab', filled([90, 1, 1], { [BITS]: [8, 8, 8], [PHOTOMETRIC]: [9], [SAMPLES]: [3] }), /colours are ICC Lab/],
  ['zstd', filled([9], { [BITS]: [8], [PHOTOMETRIC]: [1], 259: [50000] }), /compressed with zstd: save it/],
  ['unknown packing', filled([9], { [BITS]: [8], [PHOTOMETRIC]: [1], 259: [4242] }), /compressed with method 4242/],
  [
    'tiles with a plane for each channel',
    filled([1, 2, 3], { [BITS]: [8, 8, 8], [PHOTOMETRIC]: [2], [SAMPLES]: [3], 284: [2], 322: [16], 323: [16] }),
    /tiles with a plane for each channel/,
  ],
  [
    'six bands',
    filled([1, 2, 3, 4, 5, 6], { [BITS]: Array(6).fill(8), [PHOTOMETRIC]: [2], [SAMPLES]: [6], [EXTRA]: [0, 0, 0] }),
    /TIFF of 6 bands/,
  ],
  [
    'transparency among other bands',
    filled([1, 2, 3, 4, 5], { [BITS]: Array(5).fill(8), [PHOTOMETRIC]: [2], [SAMPLES]: [5], [EXTRA]: [0, 2] }),
    /one of them transparency/,
  ],
])('leaves out %s with its reason', async (_, encoded, reason) => {
  expect(await inspect(encoded)).toMatch(reason);
  await expect(inspect(encoded)).resolves.not.toContain('\n');
});

it('reads YCbCr that is packed as JPEG', async () => {
  const picture = sharp({ create: { width: side, height: side, channels: 3, background: '#c06030' } });
  const encoded = await picture.tiff({ compression: 'jpeg', quality: 100 }).toBuffer();
  expect(tiffTrouble(encoded)).toBeUndefined();
  const [red = 0, green = 0, blue = 0] = (await toSquare(encoded, 4)).data;
  expect(Math.abs(red - 0xc0) + Math.abs(green - 0x60) + Math.abs(blue - 0x30)).toBeLessThan(12);
});

it('tells camera raw files by their tags, whatever thumbnail they begin with', async () => {
  const thumbnail = { [BITS]: [8], [PHOTOMETRIC]: [1] };
  expect(await inspect(filled([9], { ...thumbnail, 50706: [1, 4] }))).toMatch(/^a camera raw file \(DNG\)/);
  expect(await inspect(filled([9], { [BITS]: [16], [PHOTOMETRIC]: [32803] }))).toMatch(/^a camera raw file/);
  // A directory inside, at the offset that tag 330 gives: the file's own first one with another photometric.
  const inner = tiffOf({ width: 8, height: 8, tags: { [BITS]: [16], [PHOTOMETRIC]: [32803] }, data: Buffer.alloc(0) });
  const outer = filled([9], { ...thumbnail, 254: [1], 330: [0] });
  const entry = outer.indexOf(Buffer.from([0x4a, 0x01, 0x03, 0x00]));
  outer.writeUInt16LE(outer.length, entry + 8);
  expect(await inspect(Buffer.concat([outer, inner.subarray(8)]))).toMatch(/^a camera raw file/);
});

it('refuses a chain of thousands of pages at once, and ends where the chain is a circle', () => {
  const page = { width: 1, height: 1, tags: { [BITS]: [8], [PHOTOMETRIC]: [1] }, data: Buffer.alloc(1) };
  expect(tiffTrouble(tiffOf(page, 8))).toBeUndefined();
  const directory = Buffer.concat([Buffer.from([0, 0]), Buffer.alloc(4)]);
  const chain = Buffer.concat(
    Array.from({ length: 3000 }, (_, i) => {
      const one = Buffer.from(directory);
      one.writeUInt32LE(i < 2999 ? 8 + 6 * (i + 1) : 0, 2);
      return one;
    }),
  );
  expect(tiffTrouble(Buffer.concat([Buffer.from('II*\0\x08\0\0\0', 'latin1'), chain]))).toMatch(/more than 2000 pages/);
});
