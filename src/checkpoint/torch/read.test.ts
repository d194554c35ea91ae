/** What is refused at the door: files that are no checkpoints at all. */
import { expect, it } from 'vitest';
import { readTorch } from './read.ts';

it('names a missing file, a folder and a foreign file in one line', () => {
  expect(() => readTorch('no-such-file.pt')).toThrow(/^Cannot read no-such-file\.pt: no such file/);
  expect(() => readTorch('src')).toThrow(/^Cannot read src: it is not a file/);
  expect(() => readTorch('package.json')).toThrow(/^package\.json: not a PyTorch checkpoint/);
});
