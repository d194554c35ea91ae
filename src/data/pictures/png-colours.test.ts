/** PNG and AVIF files whose samples are not those of sRGB become sRGB, or are left out with the reason. */

import sharp from 'sharp';
import { expect, it } from 'vitest';
import { chunk } from '../../../test/support/png-chunk.ts';
import { inspect, toSquare } from './decode.ts';

const plain = await sharp({ create: { width: 8, height: 8, channels: 3, background: '#804020' } })
  .png()
  .toBuffer();
/** Behind signature and IHDR. */
const withChunks = (...chunks: Buffer[]): Buffer =>
  Buffer.concat([plain.subarray(0, 33), ...chunks, plain.subarray(33)]);
const gamma = (value: number): Buffer => {
  const data = Buffer.alloc(4);
  data.writeUInt32BE(value * 100_000);
  return chunk('gAMA', data);
};
const first = async (png: Buffer) => [...(await toSquare(png, 4)).data.subarray(0, 3)];

it.each<[string, Buffer, readonly number[]]>([
  // Worked out by hand: 1.055 s^(1/2.4) - 0.055 of 128/255, 64/255 and 32/255.
  ['linear samples', withChunks(gamma(1)), [188, 137, 99]],
  ['the exponent of old Macintoshes', withChunks(gamma(1 / 1.8)), [146, 81, 43]],
  ['about the exponent of sRGB', withChunks(gamma(0.45455)), [128, 64, 32]],
  ['an exponent beside the mark of sRGB', withChunks(gamma(1), chunk('sRGB', Buffer.from([0]))), [128, 64, 32]],
  ['an exponent of nothing', withChunks(gamma(0)), [128, 64, 32]],
  ['the colours of sRGB by numbers', withChunks(chunk('cICP', Buffer.from([1, 13, 0, 1]))), [128, 64, 32]],
])('reads %s', async (_, png, wanted) => {
  expect(await inspect(png)).toMatchObject({ format: 'png', width: 8 });
  expect(await first(png)).toEqual(wanted);
});

it('leaves transparency as it is under an exponent', async () => {
  const clear = await sharp({
    create: { width: 8, height: 8, channels: 4, background: { r: 128, g: 0, b: 0, alpha: 0.5 } },
  })
    .png()
    .toBuffer();
  const linear = Buffer.concat([clear.subarray(0, 33), gamma(1), clear.subarray(33)]);
  const [red = 0, green = 0] = await first(linear);
  expect(Math.abs(red - (188 + 255) / 2)).toBeLessThan(2);
  expect(Math.abs(green - 255 / 2)).toBeLessThan(2);
});

it('leaves out high dynamic range, and colours that nothing here converts', async () => {
  expect(await inspect(withChunks(chunk('cICP', Buffer.from([9, 16, 0, 1]))))).toMatch(/high dynamic range/);
  expect(await inspect(withChunks(chunk('cICP', Buffer.from([12, 13, 0, 1]))))).toMatch(/another space than sRGB/);
  const avif = (primaries: number, curve: number, profile = '') =>
    Buffer.from(
      `\0\0\0\x1cftypavif\0\0\0\0avifmif1miafcolrnclx\0${String.fromCharCode(primaries, 0, curve)}${profile}`,
      'latin1',
    );
  expect(await inspect(avif(9, 16))).toMatch(/high dynamic range/);
  for (const [primaries, curve] of [
    [12, 13],
    [9, 1],
    [1, 8],
  ] as const)
    expect(await inspect(avif(primaries, curve))).toMatch(/another space than sRGB .*nclx/);
  // What a profile says is converted; these get as far as the decoder.
  for (const file of [avif(12, 13, 'colrprof'), avif(1, 13), avif(6, 6)])
    expect(await inspect(file)).toMatch(/cut short/);
});
