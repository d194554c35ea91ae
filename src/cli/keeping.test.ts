/** No command writes over a file that is not its own. */

import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { writeBeside, writeKeeping } from './keeping.ts';

const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'clipvq-keeping-'));
afterAll(() => fs.rmSync(folder, { recursive: true }));
const at = (name: string) => path.join(folder, name);
const text = (name: string) => fs.readFileSync(at(name), 'utf8');

it('moves another file to the first free number, and leaves the same bytes where they are', () => {
  const moved: string[] = [];
  for (const content of ['one', 'one', 'two', 'three'])
    writeKeeping(at('new/sheet.png'), content, (file) => moved.push(path.relative(folder, file)));
  expect(moved).toEqual(['new/sheet-1.png', 'new/sheet-2.png']);
  expect(['new/sheet-1.png', 'new/sheet-2.png', 'new/sheet.png'].map(text)).toEqual(['one', 'two', 'three']);
});

it('writes beside another file, and not twice the same', () => {
  const bytes = (content: string) => Buffer.from(content);
  const written = ['one', 'two', 'two', 'one'].map((content) => writeBeside(at('face.png'), bytes(content)));
  expect(written.map((file) => path.basename(file))).toEqual(['face.png', 'face-2.png', 'face-2.png', 'face.png']);
  expect([text('face.png'), text('face-2.png')]).toEqual(['one', 'two']);
});

it('says in one line where a folder stands', () => {
  fs.mkdirSync(at('sheets.png'));
  expect(() => writeKeeping(at('sheets.png'), 'one')).toThrow(/^Cannot write .*sheets\.png: /);
});
