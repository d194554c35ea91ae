/** Our chunks against sharp's decoder and a hand-computed chunk; damage must be noticed. */
import fc from 'fast-check';
import sharp from 'sharp';
import { describe, expect, it } from 'vitest';
import type { RgbImage } from './image.ts';
import { encodePng } from './png.ts';
import { readPngText } from './read-png-text.ts';

const image: RgbImage = { width: 5, height: 3, data: Uint8Array.from({ length: 45 }, (_, i) => (i * 37) % 256) };

describe('encodePng', () => {
  it('keeps the pixels: sharp, which verifies checksums, decodes the same bytes', async () => {
    const png = await encodePng(image, { prompt: 'a woman with a hat', seed: '7' });
    const { data, info } = await sharp(png, { failOn: 'warning' }).raw().toBuffer({ resolveWithObject: true });
    expect([info.width, info.height, info.channels]).toEqual([5, 3, 3]);
    expect([...data]).toEqual([...image.data]);
  });

  it('lets another reader find the text', async () => {
    const { comments } = await sharp(await encodePng(image, { prompt: 'plain', model: 'héllo' })).metadata();
    expect(comments).toEqual([
      { keyword: 'model', text: 'héllo' },
      { keyword: 'prompt', text: 'plain' },
    ]);
  });

  it('writes tEXt with the CRC of the specification, before the image data', async () => {
    // CRC-32 of "tEXta\0b", computed with Python's zlib.
    const chunk = Buffer.from('0000000374455874610062dc49a23b', 'hex');
    const png = Buffer.from(await encodePng(image, { a: 'b' }));
    expect(png.indexOf(chunk)).toBeGreaterThan(0);
    expect(png.indexOf(chunk)).toBeLessThan(png.indexOf('IDAT'));
  });

  it('gives the same bytes for the same input, whatever the order of the keys', async () => {
    const one = await encodePng(image, { seed: '1', prompt: 'x' });
    const two = await encodePng(image, { prompt: 'x', seed: '1' });
    expect(one).toEqual(two);
    expect(one).not.toEqual(await encodePng(image, { prompt: 'y', seed: '1' }));
  });

  it('refuses what PNG cannot hold', async () => {
    for (const keyword of ['', ' a', 'a ', 'a  b', 'ключ', 'x'.repeat(80), 'a\nb']) {
      await expect(encodePng(image, { [keyword]: 'v' }), JSON.stringify(keyword)).rejects.toThrow(RangeError);
    }
    await expect(encodePng(image, { a: 'b\0c' })).rejects.toThrow('NUL');
  });
});

describe('readPngText', () => {
  it('returns any text that went in', async () => {
    const value = fc.string({ unit: 'grapheme', maxLength: 40 }).filter((text) => !text.includes('\0'));
    await fc.assert(
      fc.asyncProperty(fc.dictionary(fc.stringMatching(/^[A-Za-z_]{1,20}$/), value), async (text) => {
        expect(readPngText(await encodePng(image, text))).toEqual({ ...text });
      }),
      { numRuns: 50 },
    );
  });

  it('notices every kind of damage', async () => {
    const png = await encodePng(image, { prompt: 'hat' });
    const flipped = Buffer.from(png);
    const at = flipped.indexOf('hat');
    flipped[at] = flipped[at]! ^ 1;
    expect(() => readPngText(flipped)).toThrow('fails its checksum');
    expect(() => readPngText(png.subarray(0, png.length - 3))).toThrow('cut short');
    expect(() => readPngText(Buffer.from('GIF89a..........'))).toThrow('Not a PNG');
    expect(() => readPngText(new Uint8Array(0))).toThrow('Not a PNG');
  });
});
