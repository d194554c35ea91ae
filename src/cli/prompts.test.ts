import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { UserError } from '../base/errors.ts';
import { readPrompts } from './prompts.ts';

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
