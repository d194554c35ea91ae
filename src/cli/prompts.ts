/** Prompts: read from the command line or a file, one a line. */

import { UserError } from '../base/errors.ts';
import { readText } from '../checkpoint/regular-file.ts';

const MOST_BYTES = 64 * 2 ** 20;

/**
 * Prompts from a text file, UTF-8 or UTF-16, one a line. Blank lines are left out, and lines that begin with #.
 * @throws UserError if the file cannot be read, is no text, or holds no prompt.
 */
export function readPrompts(file: string): string[] {
  const prompts = readText(file, MOST_BYTES)
    .split(/\r\n|\r|\n/)
    .map((line) => line.trim())
    .filter((line) => line !== '' && !line.startsWith('#'));
  if (prompts.length === 0) throw new UserError(`${file} holds no prompt: write one a line`);
  return prompts;
}
