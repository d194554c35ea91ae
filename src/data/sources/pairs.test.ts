/** Lines of pictures and captions, and the message for lines that are none. */

import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import sharp from 'sharp';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { UserError } from '../../base/errors.ts';
import { fashionCaption } from './fashion-captions.ts';
import { openPairs } from './pairs.ts';

let folder: string;
const file = () => path.join(folder, 'pairs.jsonl');
beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'clipvq-pairs-'));
  const red = sharp({ create: { width: 8, height: 8, channels: 3, background: 'red' } });
  await writeFile(path.join(folder, 'a.png'), await red.png().toBuffer());
  await writeFile(path.join(folder, 'b.jpg'), await red.jpeg().toBuffer());
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const open = async (lines: string | Uint8Array, rejected: unknown[] = []) => {
  await writeFile(file(), lines);
  return openPairs(file(), { seed: 0, count: 1, offset: 0, onRejected: (one) => rejected.push(one) });
};

it('pairs each picture that can be read with its captions, one after another', async () => {
  const rejected: unknown[] = [];
  const pairs = await open(
    '{"image": "gone.png", "text": "nothing"}\n\n{"image": "b.jpg", "texts": ["one", "two"]}\r\n{"image": "a.png", "text": "three"}\n',
    rejected,
  );
  expect(pairs.images.size).toBe(2);
  expect([0, 1, 2].map((wording) => pairs.caption(0, wording))).toEqual(['one', 'two', 'one']);
  expect([0, 1].map((wording) => pairs.caption(1, wording))).toEqual(['three', 'three']);
  expect((await pairs.images.read(1, 4)).data[0]).toBe(255);
  expect(rejected).toMatchObject([{ path: 'gone.png', reason: expect.stringContaining('cannot be read') }]);
});

it('names the line that is no pair', async () => {
  for (const [line, message] of [
    ['{"image": "a.png", "text": "x"}\n{image}', /pairs\.jsonl, line 2: not JSON/],
    ['{"image": "a.png"}', /line 1: not a pair: the key "text" is missing/],
    ['{"text": "x"}', /line 1: not a pair: the key "image" is missing/],
    ['{"image": "a.png", "text": "  "}', /line 1: not a pair: "text" is no text, or empty/],
    ['{"image": "a.png", "texts": []}', /line 1: not a pair: "texts" is no list of texts/],
    ['{"image": "a.png", "text": "x", "label": 3}', /line 1: not a pair: the key "label" is too many/],
    ['{"image": "a.png", "text": "x", "texts": ["y"]}', /line 1: not a pair: it has both/],
    ['{"file_name": "a.png", "text": "x"}', /the key "file_name" is to be called "image"/],
    ['{"image": "a.png", "caption": "x"}', /the key "caption" is to be called "text"/],
    ['{"image": "a.png", "text": "x", "text": "y"}', /line 1: the key "text" is there twice/],
    ['{"image": "https://example.org/a.png", "text": "x"}', /"image" is an address; download the picture/],
    ['{"image": "a.png", "text": "x", "__proto__": 1}', /the key "__proto__" is too many/],
    ['["a.png", "x"]', /line 1: not a pair/],
    ['', /holds no pairs/],
  ] as const) {
    const error: unknown = await open(line).catch((e) => e);
    expect(error).toBeInstanceOf(UserError);
    expect(String(error)).toMatch(message);
  }
});

it('reads files with a byte order mark, of UTF-16, and with the line ends of old Macintoshes', async () => {
  const line = '{"image": "a.png", "text": "grün"}\n';
  expect((await open(line.repeat(2).replaceAll('\n', '\r'))).images.size).toBe(2);
  for (const bytes of [Buffer.from(`\ufeff${line}`), Buffer.from(`\ufeff${line}`, 'utf16le')])
    expect((await open(bytes)).caption(0, 0)).toBe('grün');
});

it('words a class in many ways', () => {
  const captions = new Set(Array.from({ length: 40 }, (_, i) => fashionCaption('ankle boot', i)));
  expect(captions.size).toBe(15);
  expect(captions).toContain('an ankle boot');
  expect(captions).toContain('a photo of a bootie');
});
