import fs from 'node:fs';
import os from 'node:os';
import { expect, it } from 'vitest';
import { skipped } from '../../test/support/skip.ts';
import { UserError } from '../base/errors.ts';
import { makeFolder } from './atomic.ts';
import { fileError } from './file-errors.ts';

const systemError = (code: string, errno: number): Error =>
  Object.assign(new Error(`${code}: something, write`), { code, errno, syscall: 'write' });

it.each([
  ['EROFS', 'read-only'],
  ['ENOSPC', 'no space left'],
  ['EACCES', 'permission denied'],
  ['EMFILE', 'too many files are open'],
  ['EEXIST', 'a file of that name is there'],
])('says of %s what the cause is', (code, words) => {
  expect(fileError('write', 'x', systemError(code, -1)).message).toContain(words);
});

it('knows a quota by its number, where Node has no name for it', () => {
  const error = systemError('Unknown system error -122', -os.constants.errno.EDQUOT);
  expect(fileError('write', 'x', error).message).toBe(
    'Cannot write x: the disk quota is used up; free some and run again',
  );
});

it.skipIf(skipped(!fs.existsSync('/proc/self'), 'a file system without folders', 'there is no /proc'))(
  'ends where a file system makes no folders',
  () => {
    expect(() => makeFolder('/proc/clipvq/deep')).toThrow(UserError);
  },
);
