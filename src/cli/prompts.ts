/** Prompts: read from the command line or a file, one a line. */

import fs from 'node:fs';
import { UserError } from '../base/errors.ts';
import { fileError } from '../checkpoint/file-errors.ts';

const MOST_BYTES = 64 * 2 ** 20;

/**
 * Prompts from a text file, UTF-8 or UTF-16, one a line. Blank lines are left out, and lines that begin with #.
 * @throws UserError if the file cannot be read, is no text, or holds no prompt.
 */
export function readPrompts(file: string): string[] {
  const prompts = decoded(read(file), file)
    .split(/\r\n|\r|\n/)
    .map((line) => line.trim())
    .filter((line) => line !== '' && !line.startsWith('#'));
  if (prompts.length === 0) throw new UserError(`${file} holds no prompt: write one a line`);
  return prompts;
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

/** Text from bytes: by its byte order mark, else UTF-16 where every other byte of the beginning is zero, else UTF-8. */
function decoded(bytes: Buffer, file: string): string {
  try {
    return new TextDecoder(encodingOf(bytes), { fatal: true }).decode(bytes);
  } catch {
    throw new UserError(`${file} is no text in UTF-8 or UTF-16: save it as UTF-8`);
  }
}

function encodingOf(bytes: Buffer): 'utf-8' | 'utf-16le' | 'utf-16be' {
  const [a, b] = bytes;
  if (a === 0xff && b === 0xfe) return 'utf-16le';
  if (a === 0xfe && b === 0xff) return 'utf-16be';
  if (a !== 0 && b === 0) return 'utf-16le';
  return a === 0 && b !== 0 && bytes.length > 1 ? 'utf-16be' : 'utf-8';
}
