import fs from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { skipped } from '../../test/support/skip.ts';
import { writeTinyClip } from '../../test/support/tiny-clip.ts';
import { UserError } from '../base/errors.ts';
import { WORD_PATTERN } from './compact/bpe.ts';
import { openEmbedder } from './embedder.ts';

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
  const clip = await openEmbedder(folder);
  const refused = clip.embedTexts([`${'a'.repeat(60)}?`]);
  await expect(refused).rejects.toBeInstanceOf(UserError);
  await expect(refused).rejects.toThrow(/tokenizer\.json has a regular expression that takes too long/);
  expect((await clip.embedTexts(['b b'])).length).toBe(clip.dim);
  await clip.close();
}, 60_000);

it.skipIf(skipped(process.platform === 'win32', 'FIFOs', 'Windows has none'))(
  'refuses a FIFO among the files of a CLIP',
  async () => {
    const { execFileSync } = await import('node:child_process');
    fs.rmSync(path.join(folder, 'preprocessor_config.json'));
    execFileSync('mkfifo', [path.join(folder, 'preprocessor_config.json')]);
    await expect(openEmbedder(folder)).rejects.toThrow(/preprocessor_config\.json is a FIFO/);
  },
);
