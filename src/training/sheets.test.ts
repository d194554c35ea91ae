/** Sheets of a tiny run: which stage has one, its name, and that the same weights give the same bytes. */

import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { writeTinyRun } from '../../test/support/tiny-run.ts';
import { facesSource } from '../data/sources/faces/source.ts';
import { RunDirectory } from '../run/directory.ts';
import type { RunContext } from './context.ts';
import { drawSheet, sheetFile } from './sheets.ts';

const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'sheets-'));
afterAll(() => fs.rmSync(folder, { recursive: true, force: true }));

it('the tokenizer shows reconstructions and the generator its prompts, from fixed seeds; a CLIP has no sheet', async () => {
  const place = path.join(folder, 'run');
  writeTinyRun(place);
  const run = RunDirectory.open(place);
  const display = { step: () => {}, count: () => () => {}, note: () => {} };
  const context: RunContext = {
    run,
    display,
    signal: new AbortController().signal,
    engineOptions: { threads: 1 },
    resume: false,
    checkpointEvery: 10,
  };
  const pictures = facesSource({ seed: 0, count: 3, offset: 0 });
  const { tokenizer, diffusion } = run.settings.recipe;

  const reconstructed = await drawSheet('tokenizer', context, { prompts: [], pictures });
  expect(reconstructed).toBe(run.file(sheetFile('tokenizer', tokenizer.steps)));
  expect(fs.readFileSync(reconstructed!).subarray(1, 4).toString()).toBe('PNG');

  const drawn = await drawSheet('diffusion', context, { prompts: ['a hat'], pictures });
  expect(drawn).toBe(run.file(sheetFile('diffusion', diffusion.steps)));
  const bytes = fs.readFileSync(drawn!);
  await drawSheet('diffusion', context, { prompts: ['a hat'], pictures });
  expect(fs.readFileSync(drawn!).equals(bytes)).toBe(true);

  expect(await drawSheet('diffusion', context, { prompts: [], pictures })).toBeUndefined();
  expect(await drawSheet('tokenizer', context, { prompts: [], pictures: undefined })).toBeUndefined();
  expect(await drawSheet('clip', context, { prompts: ['a hat'], pictures })).toBeUndefined();
});
