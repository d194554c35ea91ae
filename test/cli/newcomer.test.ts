/** What somebody who uses this for the first time does wrong, and is answered. */

import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterAll, afterEach, expect, it, vi } from 'vitest';
import { commandNames } from '../../src/cli/command-names.ts';
import { progressTerms } from '../../src/cli/progress.ts';
import { runClipvq } from '../support/cli.ts';

const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'clipvq-newcomer-'));
afterAll(() => fs.rmSync(folder, { recursive: true }));
afterEach(() => vi.unstubAllEnvs());

it('finds the pictures in order before it fetches anything', async () => {
  vi.stubEnv('HF_ENDPOINT', 'http://127.0.0.1:9');
  vi.stubEnv('XDG_CACHE_HOME', path.join(folder, 'cache'));
  fs.mkdirSync(path.join(folder, 'empty'));
  for (const [data, says] of [
    ['nowhere', /nowhere/],
    ['empty', /empty/],
  ] as const) {
    const { status, stderr } = await runClipvq(folder, 'train', '--data', data, '--run', 'run', '--clip', 'a/clip');
    expect([status, stderr]).toEqual([2, expect.stringMatching(says)]);
    expect(stderr).not.toContain('a/clip');
  }
});

it.each([...commandNames, 'data check', 'bench samplers'])('%s --help fits a terminal of 80 columns', async (name) => {
  const { columns } = process.stdout;
  process.stdout.columns = 80;
  const { status, stdout } = await runClipvq(folder, ...name.split(' '), '--help');
  process.stdout.columns = columns;
  expect(status).toBe(0);
  expect(stdout).toMatch(/^Usage: clipvq /);
  const lines = stdout.split('\n').map((line) => line.trimEnd());
  expect(lines.filter((line) => line.length > 80)).toEqual([]);
});

it('explains every number of a progress line in the help of train', async () => {
  const { stdout } = await runClipvq(folder, 'train', '--help');
  const flat = stdout.replace(/\s+/g, ' ');
  expect(flat).toMatch(/averages over about 20 steps/);
  for (const [term] of progressTerms()) expect(flat).toContain(` ${term} `);
});
