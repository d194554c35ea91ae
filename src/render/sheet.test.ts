/**
 * The sheet decoded again: pictures where they belong and unharmed, labels as ink beside them, nothing dependent on
 * system fonts.
 */
import sharp from 'sharp';
import { describe, expect, it } from 'vitest';
import type { RgbImage } from '../data/pictures/image.ts';
import { type TextStyle, textPath, textWidth, wrapText } from './lettering.ts';
import { contactSheet } from './sheet.ts';

const style: TextStyle = { weight: 500, size: 15, color: '#000000' };

const checkers: RgbImage = {
  width: 4,
  height: 4,
  data: Uint8Array.from({ length: 48 }, (_, i) => ((Math.floor(i / 3) + Math.floor(i / 12)) % 2 === 0 ? 250 : 10)),
};

async function decode(png: Buffer): Promise<RgbImage> {
  const { data, info } = await sharp(png).raw().toBuffer({ resolveWithObject: true });
  expect(info.channels).toBe(3);
  return { width: info.width, height: info.height, data };
}

describe('contactSheet', () => {
  it('enlarges each picture pixel by pixel, in its place, inside margins of paper', async () => {
    const rows = [
      { label: 'first', images: [checkers, checkers] },
      { label: 'second', images: [checkers], highlight: [0] },
    ];
    const sheet = await decode(await contactSheet({ rows, tileSize: 64 }));
    const at = (x: number, y: number): number[] => [...sheet.data.subarray(3 * (y * sheet.width + x)).subarray(0, 3)];
    const left = sheet.width - 40 - 64 - 8 - 64;
    for (let y = 0; y < 4; y++) {
      for (let x = 0; x < 4; x++) {
        const gray = checkers.data[3 * (4 * y + x)]!;
        for (const column of [left, left + 72]) {
          expect(at(column + 16 * x + 8, 40 + 16 * y + 8)).toEqual([gray, gray, gray]);
        }
        expect(at(left + 16 * x + 8, 112 + 16 * y + 8)).toEqual([gray, gray, gray]);
      }
    }
    for (let x = 0; x < sheet.width; x++) expect(at(x, 39)).toEqual([255, 255, 255]);
    expect(at(left + 72 + 32, 112 + 32)).toEqual([255, 255, 255]);
    const [red = 0, , blue = 0] = at(left + 32, 113);
    expect(blue - red).toBeGreaterThan(100);
  });

  it('moves the second of two groups aside, behind a line, from its row on', async () => {
    const rows = ['alone', 'both'].map((label) => ({ label, images: [checkers, checkers] }));
    const comparison = { row: 1, column: 1, names: ['one', 'the other'] } as const;
    const { data, width } = await decode(await contactSheet({ rows, comparison, tileSize: 64 }));
    const at = (x: number, y: number): number[] => [...data.subarray(3 * (y * width + x)).subarray(0, 3)];
    const [left, second] = [width - 40 - 64 - 24 - 8 - 64, width - 40 - 64];
    const below = 40 + 64 + 8 + 54;
    for (const [x, y] of [
      [left, 40],
      [left + 72, 40],
      [left, below],
      [second, below],
    ] as const)
      expect(at(x + 8 + 16, y + 8 + 16)).toEqual([250, 250, 250]);
    expect(at(left + 64 + 4, below + 32)).toEqual([255, 255, 255]);
    const [red = 0, , blue = 0] = at(second - 17, below + 32);
    expect(blue - red).toBeGreaterThan(60);
  });

  it('sets labels, notes and title in ink, left of the pictures', async () => {
    const inkOf = async (label: string, note?: string): Promise<number> => {
      const row = { label, images: [checkers], ...(note !== undefined && { note }) };
      const { data, width, height } = await decode(await contactSheet({ rows: [row] }));
      let dark = 0;
      for (let y = 0; y < height; y++) for (let x = 0; x < 280; x++) dark += 255 - data[3 * (y * width + x)]!;
      return dark;
    };
    const short = await inkOf('hat');
    expect(await inkOf('')).toBe(0);
    expect(short).toBeGreaterThan(2000);
    expect(await inkOf('a red hat and a long beard')).toBeGreaterThan(3 * short);
    expect(await inkOf('hat', 'CLIP 0.3')).toBeGreaterThan(short);
  });

  it('sets the names of columns above their pictures, and cuts them to their width', async () => {
    const rows = [{ label: '', images: [checkers, checkers] }];
    const plain = await decode(await contactSheet({ rows }));
    const inkOver = async (columns: readonly string[], from: number, to: number) => {
      const { data, width, height } = await decode(await contactSheet({ rows, columns }));
      expect(height).toBeGreaterThan(plain.height);
      let dark = 0;
      for (let y = 0; y < 60; y++) for (let x = from; x < to; x++) dark += 255 - data[3 * (y * width + x)]!;
      return dark;
    };
    const left = 40 + 220 + 28;
    expect(await inkOver(['steps 8'], left, left + 128)).toBeGreaterThan(1000);
    expect(await inkOver(['', 'steps 8'], left, left + 128)).toBe(0);
    expect(await inkOver(['a name that is much longer than one picture is wide'], left + 128, left + 136)).toBe(0);
  });

  it('grows with long labels and titles, is deterministic, and refuses to be empty', async () => {
    const rows = [
      { label: 'a person with a beard, wearing a red hoodie and sunglasses in front of a wall', images: [checkers] },
    ];
    const low = await decode(await contactSheet({ rows, tileSize: 16 }));
    expect(low.height).toBeGreaterThan(80 + 60);
    const title = 'A title that is a good deal wider than one label and one picture';
    const wide = await decode(await contactSheet({ title, subtitle: 'and a subtitle', rows, tileSize: 16 }));
    expect(wide.width).toBeGreaterThan(low.width + 200);
    expect((await contactSheet({ rows })).equals(await contactSheet({ rows }))).toBe(true);
    await expect(contactSheet({ rows: [] })).rejects.toThrow('no rows');
  });
});

describe('lettering', () => {
  it('measures what it draws', () => {
    const drawn = textPath('HHHH', 10, 0, style);
    const right = Math.max(...[...drawn.matchAll(/[ML](-?[\d.]+)/g)].map((move) => Number(move[1])));
    const width = textWidth('HHHH', style);
    // The last letter's side bearing, about a tenth of it, is all that is wider than the ink.
    expect(right - 10).toBeLessThan(width);
    expect(right - 10).toBeGreaterThan(0.95 * width);
    expect(textWidth('HHHH', { ...style, size: 30 })).toBeCloseTo(2 * width, 5);
  });

  it('has outlines for the scripts people write prompts in', () => {
    const box = textPath('\u{1f600}', 0, 0, style);
    for (const letter of ['ü', 'ł', 'Ж', 'λ', 'ệ']) expect(textPath(letter, 0, 0, style)).not.toBe(box);
  });

  it('wraps without losing a character, and within the width', () => {
    const text = 'an extraordinarilylongwordwithoutanyspaceinit  and then some shorter ones';
    const lines = wrapText(text, 90, style, 99);
    expect(lines.join('').replaceAll(' ', '')).toBe(text.replaceAll(' ', ''));
    for (const line of lines) expect(textWidth(line, style)).toBeLessThanOrEqual(90);
    const cut = wrapText(text, 90, style, 2);
    expect(cut.length).toBe(2);
    expect(cut[1]).toMatch(/…$/);
    expect(textWidth(cut[1]!, style)).toBeLessThanOrEqual(90);
    expect(wrapText('', 90, style, 2)).toEqual([]);
  });
});
