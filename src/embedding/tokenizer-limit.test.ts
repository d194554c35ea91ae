import fs from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { skipped } from '../../test/support/skip.ts';
import { writeTinyClip } from '../../test/support/tiny-clip.ts';
import { UserError } from '../base/errors.ts';
import { giveBackClipThread, takeClipThread } from './clip-threads.ts';
import { WORD_PATTERN } from './compact/bpe.ts';
import { openEmbedder } from './embedder.ts';
import { resolveClip } from './sources/clip-source.ts';

let folder: string;
beforeAll(() => {
  folder = fs.mkdtempSync(path.join(tmpdir(), 'clipvq-tokenizer-'));
  writeTinyClip(folder, 'clip');
  const file = path.join(folder, 'tokenizer.json');
  const endless = fs
    .readFileSync(file, 'utf8')
    .replace(JSON.stringify(WORD_PATTERN), JSON.stringify('^(?:a+)+!|b|\\s'));
  fs.writeFileSync(file, endless);
});
afterAll(() => fs.rmSync(folder, { recursive: true }));

it('ends a regular expression of tokenizer.json that would not end, and goes on', async () => {
  const clip = await takeClipThread();
  const opening = { source: await resolveClip(folder), threads: 1, mostTokenizing: 300 };
  const { dim } = await clip.call('open', opening);
  const embed = (text: string) => clip.call('texts', { texts: [text], truncate: false });
  const refused = embed(`${'a'.repeat(60)}?`);
  await expect(refused).rejects.toBeInstanceOf(UserError);
  await expect(refused).rejects.toThrow(/tokenizer\.json has a regular expression that takes too long/);
  expect((await embed('b b')).length).toBe(dim);
  await giveBackClipThread(clip);
});

it.skipIf(skipped(process.platform === 'win32', 'FIFOs', 'Windows has none'))(
  'refuses a FIFO among the files of a CLIP',
  async () => {
    const { execFileSync } = await import('node:child_process');
    fs.rmSync(path.join(folder, 'preprocessor_config.json'));
    execFileSync('mkfifo', [path.join(folder, 'preprocessor_config.json')]);
    await expect(openEmbedder(folder)).rejects.toThrow(/preprocessor_config\.json is a FIFO/);
  },
);
