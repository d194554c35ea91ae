/** Prompts: read from the command line or a file, one a line. */

import fs from 'node:fs';
import { UserError } from '../base/errors.ts';
import { fileError } from '../checkpoint/file-errors.ts';

/** @throws UserError if the file cannot be read or holds no prompt. */
export function readPrompts(file: string): string[] {
  let text: string;
  try {
    text = fs.readFileSync(file, 'utf8');
  } catch (error) {
    throw fileError('read', file, error);
  }
  const prompts = text
    .split(/\r?\n/)
    .map((line) => line.trim())
    .filter((line) => line !== '');
  if (prompts.length === 0) throw new UserError(`${file} holds no prompt: write one a line`);
  return prompts;
}
