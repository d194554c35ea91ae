/** Names of pictures: nothing that is there is ever lost. */

import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { UserError } from '../base/errors.ts';
import { fileName, type PictureName, pictureWriter } from './picture-files.ts';

let folder: string;
beforeEach(() => {
  folder = fs.mkdtempSync(path.join(os.tmpdir(), 'clipvq-pictures-'));
});
afterEach(() => fs.rmSync(folder, { recursive: true, force: true }));

const at = (...parts: string[]) => path.join(folder, ...parts);
const png = (text: string) => Buffer.from(text);
const named = (prompt: string, seed = 0, made: unknown = 'model'): PictureName => ({ prompt, seed, made });
const refuse = () => {
  throw new Error('no picture should move');
};
const files = (...parts: string[]) => fs.readdirSync(at(...parts)).sort();

describe('a folder', () => {
  it('keeps a picture for each prompt, seed, setting and model, whatever run it comes from', () => {
    const long = 'a photograph of a small woman with red hair and round glasses ';
    const names = [
      named(`${long}on a blue background`),
      named(`${long}and a green hat`),
      named('猫'),
      named('Красная шляпа'),
      named('🙂'),
      named('!?'),
      named('a hat'),
      named('a hat', 1),
      named('a hat', 2 ** 40),
      named('a hat', 0, ['model', { guidanceScale: 3 }]),
      named('a hat', 0, ['other model']),
      named('A hat'),
    ];
    // Each from a command of its own.
    const written = names.map((name, i) => pictureWriter(at('o'), 1, refuse)(png(`${i}`), name));
    expect(new Set(written).size).toBe(names.length);
    expect(files('o')).toHaveLength(names.length);
    for (const [i, file] of written.entries()) expect(fs.readFileSync(file, 'utf8')).toBe(`${i}`);
  });

  it('names files so that people find them, in letters of any script', () => {
    expect(fileName(named('a red hat', 5))).toMatch(/^a-red-hat-5-[0-9a-f]{8}\.png$/);
    expect(fileName(named('猫 и шляпа', 0))).toMatch(/^猫-и-шляпа-0-/);
    expect(fileName(named('  Ünïcode/..\\: "x"\n', 0))).toMatch(/^ünïcode-x-0-/);
    expect(fileName(named('🙂', 0))).toMatch(/^picture-0-/);
  });

  it('stays within the length that file systems allow', () => {
    for (const letter of ['a', 'ж', '猫', '𝒜', 'ậ'])
      expect(Buffer.byteLength(fileName(named(letter.repeat(500), Number.MAX_SAFE_INTEGER)))).toBeLessThan(200);
  });

  it('leaves the same picture alone, and gives another of the same name a number', () => {
    const write = pictureWriter(at('o'), 3, refuse);
    const first = write(png('one'), named('a hat'));
    expect(write(png('one'), named('a hat'))).toBe(first);
    const second = write(png('two'), named('a hat'));
    expect(path.basename(second)).toBe(path.basename(first).replace('.png', '-2.png'));
    expect(pictureWriter(at('o'), 1, refuse)(png('two'), named('a hat'))).toBe(second);
    expect(path.basename(write(png('three'), named('a hat')))).toMatch(/-3\.png$/);
    expect(files('o')).toHaveLength(3);
  });
});

describe('a file', () => {
  it('holds the newest picture; the one before makes room and is named', () => {
    const moved: string[] = [];
    const write = (text: string) => pictureWriter(at('one.png'), 1, (file) => moved.push(file))(png(text), named('x'));
    expect([write('a'), write('a'), write('b'), write('c')]).toEqual(Array(4).fill(at('one.png')));
    expect(moved).toEqual([at('one-1.png'), at('one-2.png')]);
    expect(files().map((file) => fs.readFileSync(at(file), 'utf8'))).toEqual(['a', 'b', 'c']);
  });

  it('is numbered for several pictures, around those that are there', () => {
    fs.writeFileSync(at('x-2.png'), 'mine');
    const write = pictureWriter(at('x.png'), 3, refuse);
    expect(['a', 'b', 'c'].map((text) => write(png(text), named('x')))).toEqual(
      ['x-1.png', 'x-3.png', 'x-4.png'].map((file) => at(file)),
    );
    expect(fs.readFileSync(at('x-2.png'), 'utf8')).toBe('mine');
  });

  it.each(['x.jpg', 'x.JPEG', 'sub/x.webp', 'x.gif'])('of another format (%s) is refused before any work', (name) => {
    expect(() => pictureWriter(at(name), 1, refuse)).toThrow(UserError);
    expect(() => pictureWriter(at(name), 1, refuse)).toThrow(/as PNG: name a \.png file, or a folder/);
    expect(files()).toEqual([]);
  });
});

it('takes a folder for a folder, whatever its name', () => {
  fs.mkdirSync(at('set.jpg'));
  fs.mkdirSync(at('set.png'));
  for (const name of ['set.jpg', 'set.png'])
    expect(path.dirname(pictureWriter(at(name), 1, refuse)(png('a'), named('x')))).toBe(at(name));
});

it('finds out before any work that it cannot write', () => {
  fs.writeFileSync(at('file'), '');
  expect(() => pictureWriter(at('file', 'o'), 1, refuse)).toThrow(UserError);
});

it.skipIf(process.platform !== 'linux')('ends where no folder can be made', () => {
  expect(() => pictureWriter('/proc/clipvq/pictures', 1, () => {})).toThrow(/^Cannot create \/proc\/clipvq/);
});

it('names a file that stands where a folder would have to be', () => {
  fs.writeFileSync(at('notes.txt'), 'hello');
  const write = () => pictureWriter(at('notes.txt', 'x.png'), 1, refuse)(png('one'), named('x'));
  expect(write).toThrow(UserError);
  expect(write).toThrow(/notes\.txt/);
});
