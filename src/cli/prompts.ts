/** Prompts: read from the command line or a file, one a line. */

import fs from 'node:fs';
import { UserError } from '../base/errors.ts';
import { decodeText } from '../base/text.ts';
import { fileError } from '../checkpoint/file-errors.ts';

const MOST_BYTES = 64 * 2 ** 20;

/**
 * Prompts from a text file, UTF-8 or UTF-16, one a line. Blank lines are left out, and lines that begin with #.
 * @throws UserError if the file cannot be read, is no text, or holds no prompt.
 */
export function readPrompts(file: string): string[] {
  const prompts = decodeText(read(file), file)
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
