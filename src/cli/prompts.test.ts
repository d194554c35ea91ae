import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { UserError } from '../base/errors.ts';
import { readPrompts, somePrompts } from './prompts.ts';

let folder: string;
beforeEach(() => {
  folder = fs.mkdtempSync(path.join(os.tmpdir(), 'clipvq-prompts-'));
});
afterEach(() => fs.rmSync(folder, { recursive: true, force: true }));

const file = (content: string | Uint8Array): string => {
  const name = path.join(folder, 'prompts.txt');
  fs.writeFileSync(name, content);
  return name;
};
const text = '# hats\r\na red hat\r\n\r\n  猫  \n#ffffff\na hat # 3\n';
const prompts = ['a red hat', '猫', 'a hat # 3'];

it('reads a prompt from each line that is neither blank nor a comment', () => {
  expect(readPrompts(file(text))).toEqual(prompts);
});

it('takes what begins with a space and # for a prompt, as the studio writes one, and a caption of COCO as it is', () => {
  expect(readPrompts(file('# a comment\n #1 fan\n'))).toEqual(['#1 fan']);
  const annotations = [{ image_id: 1, id: 1, caption: '#2 on a shirt' }];
  expect(readPrompts(named('captions.json', JSON.stringify({ annotations })))).toEqual(['#2 on a shirt']);
});

it('reads UTF-8 with a byte order mark, and UTF-16 of either order with and without one', () => {
  const little = Buffer.from(text, 'utf16le');
  const big = Buffer.from(little).swap16();
  for (const bytes of [
    Buffer.from(`\ufeff${text}`),
    little,
    big,
    Buffer.concat([Buffer.of(0xff, 0xfe), little]),
    Buffer.concat([Buffer.of(0xfe, 0xff), big]),
  ])
    expect(readPrompts(file(bytes))).toEqual(prompts);
});

it.each([
  ['nothing', ''],
  ['comments alone', '# a\n\n'],
  ['bytes of no text', Buffer.of(0x61, 0xc3, 0x28, 0xff)],
])('refuses a file of %s in one line', (_, content) => {
  expect(() => readPrompts(file(content))).toThrow(UserError);
  expect(() => readPrompts(file(content))).toThrow(/^[^\n]*prompts\.txt[^\n]*$/);
});

it('refuses what is no file', () => {
  expect(() => readPrompts(folder)).toThrow(/is a folder/);
  expect(() => readPrompts(path.join(folder, 'none'))).toThrow(UserError);
});

const named = (name: string, content: string): string => {
  fs.writeFileSync(path.join(folder, name), content);
  return path.join(folder, name);
};

it('reads of a file of captions of COCO the first of each picture', () => {
  const annotations = [
    { image_id: 73, id: 770, caption: 'A motorcycle on\n a street. ' },
    { image_id: 42, id: 651, caption: 'A shoe rack.' },
    { image_id: 73, id: 91, caption: 'Two wheels.' },
    { image_id: 73, id: 800, caption: 'A bike.' },
  ];
  const images = [{ id: 42, file_name: 'COCO_val2014_000000000042.jpg' }];
  const content = JSON.stringify({ info: { year: 2014 }, images, licenses: [], annotations });
  expect(readPrompts(named('captions_val2014.json', content))).toEqual(['A shoe rack.', 'Two wheels.']);
  expect(readPrompts(named('captions.txt', content))).toEqual([content]);
});

it.each(['{"annotations": [{"id": 1, "image_id": 2, "bbox": []}]}', '["a cat"]', '{', 'null'])(
  'refuses JSON that holds no captions: %s',
  (content) => {
    expect(() => readPrompts(named('instances.json', content))).toThrow(/instances\.json is JSON, but no captions/);
  },
);

it('draws some of the prompts at random, the same each time, in their order', () => {
  const all = Array.from({ length: 40 }, (_, i) => String.fromCharCode(65 + i));
  const some = somePrompts(all, 10);
  expect(some).toEqual([...new Set(some)].sort());
  expect([some.length, all.slice(0, 10).join() === some.join()]).toEqual([10, false]);
  expect(somePrompts(all, 10)).toEqual(some);
  expect([somePrompts(all), somePrompts(all, 99)]).toEqual([all, all]);
});
