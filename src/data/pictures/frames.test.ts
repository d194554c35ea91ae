/** Pictures whose decoders need help: orientations in odd places of PNG, first frames of GIF, drawings. */

import fs from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { deflateSync } from 'node:zlib';
import sharp from 'sharp';
import { describe, expect, it } from 'vitest';
import { crc32 } from '../../files/crc32.ts';
import { inspect, toSquare } from './decode.ts';
import { readImage } from './files.ts';

const pixel = (image: { data: Uint8Array; width: number }, x: number, y: number): number[] => [
  ...image.data.subarray(3 * (y * image.width + x), 3 * (y * image.width + x) + 3),
];

describe('the orientation of a PNG', () => {
  const exif = (orientation: number): Buffer => {
    const bytes = Buffer.from('MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\0\0\0\0\0\0\0', 'latin1');
    bytes.writeUInt16BE(orientation, 18);
    return bytes;
  };
  function chunk(type: string, data: Buffer): Buffer {
    const body = Buffer.concat([Buffer.from(type, 'latin1'), data]);
    const framed = Buffer.alloc(body.length + 8);
    framed.writeUInt32BE(data.length, 0);
    body.copy(framed, 4);
    framed.writeUInt32BE(crc32(body), framed.length - 4);
    return framed;
  }
  const profile = (keyword: string, pack: (text: Buffer) => Buffer): Buffer => {
    const bytes = Buffer.concat([Buffer.from('Exif\0\0', 'latin1'), exif(6)]);
    const text = Buffer.from(`\nexif\n${String(bytes.length).padStart(8)}\n${bytes.toString('hex')}\n`);
    return Buffer.concat([Buffer.from(`${keyword}\0`), pack(text)]);
  };
  /** Left half red, right half blue, with a chunk before or after the pixels. */
  async function png(added: Buffer, place: 'IDAT' | 'IEND'): Promise<Buffer> {
    const [red, blue] = ['#ff0000', '#0000ff'].map(
      (background) => ({ width: 8, height: 8, channels: 3, background }) as const,
    );
    const bytes = await sharp({ create: { ...red!, width: 16 } })
      .composite([{ input: { create: blue! }, left: 8, top: 0 }])
      .png()
      .toBuffer();
    const at = bytes.indexOf(place) - 4;
    return Buffer.concat([bytes.subarray(0, at), added, bytes.subarray(at)]);
  }

  it.each<[string, Buffer, 'IDAT' | 'IEND']>([
    ['EXIF before the pixels', chunk('eXIf', exif(6)), 'IDAT'],
    ['EXIF after the pixels', chunk('eXIf', exif(6)), 'IEND'],
    [
      'a raw profile',
      chunk(
        'tEXt',
        profile('Raw profile type exif', (text) => text),
      ),
      'IDAT',
    ],
    [
      'a packed raw profile after the pixels',
      chunk(
        'zTXt',
        profile('Raw profile type APP1', (text) => Buffer.concat([Buffer.from([0]), deflateSync(text)])),
      ),
      'IEND',
    ],
    [
      'an international raw profile',
      chunk(
        'iTXt',
        profile('Raw profile type exif', (text) => Buffer.concat([Buffer.alloc(4), text])),
      ),
      'IDAT',
    ],
  ])('is followed in %s', async (_, added, place) => {
    const bytes = await png(added, place);
    expect(await inspect(bytes)).toMatchObject({ width: 8, height: 16 });
    const square = await toSquare(bytes, 16, { crop: (width) => ({ left: 0, top: 0, width, height: width }) });
    // Turned to the right, what was on the left is on top.
    expect(pixel(square, 8, 2)).toEqual([255, 0, 0]);
    const lower = await toSquare(bytes, 16, { crop: (width) => ({ left: 0, top: 8, width, height: width }) });
    expect(pixel(lower, 8, 8)).toEqual([0, 0, 255]);
  });

  it('is none where the profile is nonsense or unpacks to too much', async () => {
    const packed = Buffer.concat([Buffer.from([0]), deflateSync(Buffer.alloc(8 << 20))]);
    for (const data of [Buffer.from('zz'), packed]) {
      const bytes = await png(chunk('zTXt', Buffer.concat([Buffer.from('Raw profile type exif\0'), data])), 'IEND');
      expect(await inspect(bytes)).toMatchObject({ width: 16, height: 8 });
    }
  });
});

describe('a GIF', () => {
  /** Frames of colour 1 (blue) on a canvas. */
  function gif(
    canvas: readonly [number, number],
    frame: readonly [number, number, number, number],
    frames = 1,
  ): Buffer {
    const shorts = (...values: readonly number[]) => Buffer.from(Uint16Array.from(values).buffer);
    // Each code of three bits: a fresh table, then colour 1; the last code ends.
    const codes = Array.from({ length: frame[2] * frame[3] }, () => [4, 1]).flat();
    const bits = [...codes, 5].flatMap((code) => [code & 1, (code >> 1) & 1, (code >> 2) & 1]);
    const bytes = Buffer.alloc(Math.ceil(bits.length / 8));
    bits.forEach((bit, i) => {
      bytes[i >> 3]! |= bit << (i & 7);
    });
    const blocks: Buffer[] = [];
    for (let at = 0; at < bytes.length; at += 255) {
      const part = bytes.subarray(at, at + 255);
      blocks.push(Buffer.from([part.length]), part);
    }
    const image = Buffer.concat([
      ...[Buffer.from([0x21, 0xf9, 4, 0, 0, 0, 0, 0, 0x2c]), shorts(...frame), Buffer.from([0, 2])],
      ...[...blocks, Buffer.from([0])],
    ]);
    const head = [Buffer.from('GIF89a'), shorts(...canvas), Buffer.from([0x80, 0, 0, 255, 0, 0, 0, 0, 255])];
    return Buffer.concat([...head, ...Array<Buffer>(frames).fill(image), Buffer.from([0x3b])]);
  }

  it.each([
    [40, 40],
    [640, 480],
  ])('of %ix%i has its small first frame where it belongs, on the background', async (width, height) => {
    const encoded = gif([width, height], [10, 20, 8, 8]);
    expect(await inspect(encoded)).toMatchObject({ format: 'gif', width, height, pages: 1 });
    const whole = { crop: () => ({ left: 0, top: 0, width: 40, height: 40 }), background: '#00ff00' };
    const square = await toSquare(encoded, 40, whole);
    expect([pixel(square, 0, 0), pixel(square, 14, 24), pixel(square, 30, 24)]).toEqual([
      [0, 255, 0],
      [0, 0, 255],
      [0, 255, 0],
    ]);
  });

  it('of a hundred thousand frames is its first one', async () => {
    const encoded = gif([8, 8], [0, 0, 8, 8], 100_000);
    expect(await inspect(encoded)).toMatchObject({ width: 8, height: 8, pages: 100_000 });
    expect(pixel(await toSquare(encoded, 8), 4, 4)).toEqual([0, 0, 255]);
  });
});

describe('a drawing', () => {
  const svg = (content: string, size = 'width="8" height="8"') =>
    Buffer.from(`<svg xmlns="http://www.w3.org/2000/svg" ${size} viewBox="0 0 8 8">${content}</svg>`);

  it('is drawn as large as the square needs it', async () => {
    const encoded = svg('<rect width="4" height="8" fill="#0000ff"/>');
    expect(await inspect(encoded)).toMatchObject({ format: 'svg', width: 8, height: 8 });
    const square = await toSquare(encoded, 64);
    // An enlarged picture of 8 pixels would have a soft edge here.
    expect([pixel(square, 30, 9), pixel(square, 33, 9)]).toEqual([
      [0, 0, 255],
      [255, 255, 255],
    ]);
  });

  it('takes nothing from other files, and is refused where it is larger than pictures may be', async () => {
    const folder = fs.mkdtempSync(path.join(tmpdir(), 'clipvq-svg-'));
    const secret = path.join(folder, 'secret.png');
    await sharp({ create: { width: 8, height: 8, channels: 3, background: '#ff0000' } }).toFile(secret);
    const square = await toSquare(svg(`<image href="file://${secret}" width="8" height="8"/>`), 8);
    expect(pixel(square, 4, 4)).toEqual([255, 255, 255]);
    fs.rmSync(folder, { recursive: true });
    expect(await inspect(svg('', 'width="20000" height="20000"'))).toMatch(/more than the limit/);
  });
});

it('names a file that is no picture that can be read', async () => {
  const folder = fs.mkdtempSync(path.join(tmpdir(), 'clipvq-named-'));
  const put = (name: string, bytes: Uint8Array | string): string => {
    fs.writeFileSync(path.join(folder, name), bytes);
    return path.join(folder, name);
  };
  const jpeg = await sharp({ create: { width: 32, height: 32, channels: 3, background: 'red' } })
    .jpeg()
    .toBuffer();
  const good = put('good.jpg', jpeg);
  for (const [bad, words] of [
    [put('zero.jpg', ''), 'empty: 0 bytes'],
    [put('text.jpg', 'words'), 'text and no picture'],
    [put('cut.jpg', jpeg.subarray(0, 200)), 'it is cut short'],
    [put('base.bmp', Buffer.from(`BM${'\0'.repeat(12)}\x28${'\0'.repeat(60)}`, 'latin1')), 'BMP'],
    [put('notes.txt', 'words'), 'it is no JPEG, PNG'],
    [path.join(folder, 'gone.png'), 'no such file'],
    [folder, 'is a folder'],
  ] as const) {
    const error: unknown = await readImage(bad, 8).catch((e) => e);
    expect(error).toMatchObject({ name: 'UserError', message: expect.stringContaining(bad) });
    expect(String(error)).toContain(words);
  }
  expect((await readImage(good, 8)).data.length).toBe(192);
  fs.rmSync(folder, { recursive: true });
});
