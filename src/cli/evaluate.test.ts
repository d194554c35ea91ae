/** What a report cannot be made with is refused before a picture is read or drawn. */

import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { runClipvq } from '../../test/support/cli.ts';
import { shareEngines } from '../../test/support/keeping-engine.ts';
import { leanRecipe, writeTinyRun } from '../../test/support/tiny-model.ts';

shareEngines();
const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'clipvq-evaluate-'));
beforeAll(() => {
  writeTinyRun(path.join(folder, 'run'), leanRecipe);
  // Reading it would say that it is left out.
  fs.mkdirSync(path.join(folder, 'pictures'));
  fs.writeFileSync(path.join(folder, 'pictures', 'broken.png'), 'no picture');
});
afterAll(() => fs.rmSync(folder, { recursive: true }));

it.each([
  [['--second-clip', 'run/clip'], /^clipvq: --second-clip run\/clip is the CLIP that the model was trained with/],
  [['--second-clip', './nowhere'], /^clipvq: There is no CLIP in \.\/nowhere/],
  [['--lpips', 'pictures'], /^clipvq: LPIPS takes pictures of 32 pixels, and the model makes 16/],
  [['--prompts', 'run/run.json', '--inception', 'run/run.json'], /^clipvq: .*run\.json/],
])('refuses %s before a picture is read', async (wrong, message) => {
  const start = ['evaluate', '--model', 'run', '--data', 'pictures', '--report', 'report'];
  const { status, stdout, stderr } = await runClipvq(folder, ...start, ...wrong);
  expect([status, stdout]).toEqual([2, '']);
  expect(stderr).toMatch(message);
  expect(stderr.trimEnd()).not.toContain('\n');
  expect(fs.existsSync(path.join(folder, 'report'))).toBe(false);
});
