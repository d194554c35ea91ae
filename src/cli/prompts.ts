/** Prompts from a file: one a line, or the captions of a file of COCO's. */

import fs from 'node:fs';
import { UserError } from '../base/errors.ts';
import { decodeText } from '../base/text.ts';
import { fileError } from '../files/file-errors.ts';
import { permutation } from '../random/noise.ts';

const MOST_BYTES = 64 * 2 ** 20;

/**
 * Prompts from a text file, UTF-8 or UTF-16, one a line; blank lines are left out, and lines whose first character is
 * #. A file that is called .json is one of captions as COCO publishes them (`captions_val2014.json`): one caption a
 * picture, the first, in the order of the pictures' numbers.
 * @throws UserError if the file cannot be read, is no text, or holds no prompt.
 */
export function readPrompts(file: string): string[] {
  const text = decodeText(read(file), file);
  const lines = /\.json$/i.test(file) ? captions(text, file) : withoutComments(text.split(/\r\n|\r|\n/));
  const prompts = lines.map((line) => line.trim()).filter((line) => line !== '');
  if (prompts.length === 0) throw new UserError(`${file} holds no prompt: write one a line`);
  return prompts;
}

/** A prompt that begins with # has a space in front of it. */
const withoutComments = (lines: readonly string[]): string[] => lines.filter((line) => !line.startsWith('#'));

/** At most so many of the prompts, drawn at random but the same each time, in their order. */
export function somePrompts(prompts: readonly string[], most = prompts.length): readonly string[] {
  const drawn = permutation(0, 'prompts', 0, prompts.length).subarray(0, most).sort();
  return Array.from(drawn, (i) => prompts[i]!);
}

interface Caption {
  readonly id: number;
  readonly image_id: number;
  readonly caption: string;
}

const isCaption = (value: unknown): value is Caption =>
  typeof value === 'object' &&
  value !== null &&
  typeof Reflect.get(value, 'id') === 'number' &&
  typeof Reflect.get(value, 'image_id') === 'number' &&
  typeof Reflect.get(value, 'caption') === 'string';

/** Of each picture the caption with the lowest number; a caption may span lines. */
function captions(text: string, file: string): string[] {
  const first = new Map<number, Caption>();
  for (const one of annotationsOf(text)) {
    if (!isCaption(one))
      throw new UserError(
        `${file} is JSON, but no captions as COCO publishes them ({"annotations": [{"id", "image_id", "caption"}]}): write prompts into a text file, one a line`,
      );
    const other = first.get(one.image_id);
    if (other === undefined || one.id < other.id) first.set(one.image_id, one);
  }
  return [...first.values()].sort((a, b) => a.image_id - b.image_id).map(({ caption }) => caption.replace(/\s+/g, ' '));
}

/** What a file lists under `annotations`; one thing that is no caption where it lists nothing. */
function annotationsOf(text: string): readonly unknown[] {
  try {
    const content: unknown = JSON.parse(text);
    const list: unknown = typeof content === 'object' && content !== null && Reflect.get(content, 'annotations');
    return Array.isArray(list) ? list : [undefined];
  } catch (error) {
    if (error instanceof SyntaxError) return [undefined];
    throw error;
  }
}

function read(file: string): Buffer {
  let stat: fs.Stats;
  try {
    stat = fs.statSync(file);
    // A pipe that the shell has made (<(…), /dev/stdin) has a writer; of others, reading may never end.
    if (stat.isFile() || file.startsWith('/dev/')) {
      if (stat.size > MOST_BYTES) throw new UserError(`${file} is larger than 64 MiB: no list of prompts; split it`);
      return fs.readFileSync(file);
    }
  } catch (error) {
    throw error instanceof UserError ? error : fileError('read', file, error);
  }
  throw new UserError(`${file} is ${stat.isDirectory() ? 'a folder' : 'no file'}: name a text file of prompts`);
}
