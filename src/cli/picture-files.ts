/** Where generated pictures go: a name for each, and never the place of another picture. */

import { createHash } from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import { UserError } from '../base/errors.ts';
import { makeFolder } from '../files/atomic.ts';
import { fileError } from '../files/file-errors.ts';
import { writeBeside, writeKeeping } from './keeping.ts';

/** What the name of a picture is made from. */
export interface PictureName {
  readonly prompt: string;
  readonly seed: number;
  /** Everything else that settles the picture: model, settings, negative prompt. */
  readonly made: unknown;
}

/** Takes pictures, one after another, and answers where each has been written. */
export type PictureWriter = (png: Uint8Array, name: PictureName) => string;

/** The same writer for pictures that something more settles, if it is given: where that differs, their names do. */
export const alsoSettledBy = (write: PictureWriter, more: unknown): PictureWriter =>
  more === undefined ? write : (png, { made, ...name }) => write(png, { ...name, made: [made, more] });

const OTHER_FORMATS = /\.(jpe?g|jfif|webp|gif|bmp|tiff?|avif|heic|jxl|svg|pdf|tga|ppm|ico)$/i;

/**
 * A writer into a folder, or to a .png file: the folder is made and tried before any work.
 * - A folder is filled: `a-red-hat-5-1f2e3d4c.png` is named after the prompt, the seed, and a hash of all that settles
 *   the picture.
 * - One picture goes to the file as it is named; of several, the files are numbered. Other pictures that are there
 *   stay: a file with the same bytes is left alone, another one makes the new one take the next free number. Where one
 *   file is named, the other picture moves to a free number instead.
 * @param onMoved called with the new name of a picture that made room.
 * @throws UserError if the folder cannot be written to, or the file is to be no PNG.
 */
export function pictureWriter(out: string, total: number, onMoved: (file: string) => void): PictureWriter {
  if (OTHER_FORMATS.test(out) && !isFolder(out))
    throw new UserError(`--out ${out}: pictures are written as PNG: name a .png file, or a folder`);
  const isFile = /\.png$/i.test(out) && !isFolder(out);
  makeWritable(isFile ? path.dirname(out) : out);
  if (!isFile) return (png, name) => writeBeside(path.join(out, fileName(name)), png);
  if (total > 1) {
    let next = 1;
    return (png) => writeBeside(out, png, next++);
  }
  return (png) => {
    writeKeeping(out, png, onMoved);
    return out;
  };
}

/**
 * `a-red-hat-5-1f2e3d4c.png`: letters and digits of any script. Two pictures share a name only if all that settles them
 * is equal.
 */
export function fileName({ prompt, seed, made }: PictureName): string {
  const hash = createHash('sha256')
    .update(JSON.stringify([prompt, seed, made]))
    .digest('hex')
    .slice(0, 8);
  return `${slug(prompt)}-${seed}-${hash}.png`;
}

/** File names hold 255 bytes; what a write puts around the name needs some of them. */
const MOST_BYTES = 120;
const MOST_CHARACTERS = 48;

function slug(prompt: string): string {
  const words = prompt
    .normalize('NFC')
    .toLowerCase()
    .replace(/[^\p{L}\p{N}\p{M}]+/gu, '-')
    .replace(/^-/, '');
  let kept = '';
  for (const character of [...words].slice(0, MOST_CHARACTERS)) {
    if (Buffer.byteLength(kept + character) > MOST_BYTES) break;
    kept += character;
  }
  return kept.replace(/-$/, '') || 'picture';
}

const isFolder = (file: string): boolean => fs.existsSync(file) && fs.statSync(file).isDirectory();

function makeWritable(folder: string): void {
  if (fs.existsSync(folder) && !isFolder(folder))
    throw new UserError(`--out ${folder} is a file: name a folder, or a .png file`);
  makeFolder(folder);
  try {
    fs.accessSync(folder, fs.constants.W_OK);
  } catch (error) {
    throw fileError('write to', folder, error);
  }
}
