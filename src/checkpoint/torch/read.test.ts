/** What is refused at the door: the hostile files of the fixtures, and files that are no checkpoints at all. */
import { existsSync, readdirSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { fixturePath } from '../../../test/support/fixtures.ts';
import { UserError } from '../../errors.ts';
import { readTorch } from './read.ts';

const folder = fixturePath('checkpoints');
const hostile = existsSync(folder) ? readdirSync(folder).filter((name) => name.startsWith('evil')) : [];
if (hostile.length === 0)
  console.warn('SKIPPED: hostile checkpoints, because CLIPVQ_FIXTURES has no checkpoints/evil*');

describe.skipIf(hostile.length === 0)('hostile files', () => {
  it.each(hostile)('%s is refused by the name it asks for', (name) => {
    const read = () => readTorch(fixturePath('checkpoints', name));
    expect(read).toThrow(UserError);
    expect(read).toThrow(/^[^\n]*refused, and nothing was run: it asks for (posix\.system|builtins\.eval), [^\n]*$/);
    expect(existsSync('/tmp/pwned')).toBe(false);
  });
});

it('names a missing file, a folder and a foreign file in one line', () => {
  expect(() => readTorch('no-such-file.pt')).toThrow(/^cannot read no-such-file\.pt: no such file/);
  expect(() => readTorch('src')).toThrow(/^cannot read src: it is not a file/);
  expect(() => readTorch('package.json')).toThrow(/^package\.json: not a PyTorch checkpoint/);
});
