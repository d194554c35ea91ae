/** Prompts: read from the command line or a file, one a line. */

import { UserError } from '../base/errors.ts';
import { readText } from '../checkpoint/regular-file.ts';

/** @throws UserError if the file cannot be read or holds no prompt. */
export function readPrompts(file: string): string[] {
  const prompts = readText(file)
    .split(/\r?\n/)
    .map((line) => line.trim())
    .filter((line) => line !== '');
  if (prompts.length === 0) throw new UserError(`${file} holds no prompt: write one a line`);
  return prompts;
}
