/** Commands that draw and measure: two ranks that `mpirun` starts find what one process finds. */

import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { encodePng } from '../../src/data/pictures/png.ts';
import { integers } from '../../src/random/noise.ts';
import { runClipvq } from '../support/cli.ts';
import { leanRecipe, writeTinyRun } from '../support/tiny-model.ts';

const hasMpi = spawnSync('mpirun', ['--version']).status === 0;

const common = ['--model', '../model', '--threads', '1'];
const COMMANDS = [
  // 18 pictures are a batch of 16 and one of 2: one for each rank.
  [
    ...['evaluate', '--data', '../real', '--prompts', '../prompts.txt', '--pictures', '6', '--count', '9', '--json'],
    ...['--report', 'report', '--training-pictures', '6', '--offline', ...common],
  ],
  [
    ...['bench', 'samplers', '--pictures', '18', '--prompts', '../prompts.txt', '--out', 'samplers', '--json'],
    ...['--steps', '3', '--only', 'strided', ...common],
  ],
];

let folder: string;
beforeAll(async () => {
  folder = fs.mkdtempSync(path.join(os.tmpdir(), 'clipvq-commands-'));
  const real = path.join(folder, 'real');
  fs.mkdirSync(real);
  for (let i = 0; i < 6; i++) {
    const data = Uint8Array.from(integers({ seed: i, stream: 'pixels', step: 0 }, 0, 16 * 16 * 3, 256));
    fs.writeFileSync(path.join(real, `${i}.png`), await encodePng({ width: 16, height: 16, data }, {}));
  }
  const run = writeTinyRun(path.join(folder, 'model'), leanRecipe);
  // A model of these pictures, not of faces, of which many would be drawn.
  const file = run.file('run.json');
  fs.writeFileSync(file, JSON.stringify({ ...JSON.parse(fs.readFileSync(file, 'utf8')), data: real }));
  fs.writeFileSync(path.join(folder, 'prompts.txt'), 'a red face\na woman\n');
  for (const place of ['alone', 'ranks']) fs.mkdirSync(path.join(folder, place));
});
afterAll(() => fs.rmSync(folder, { recursive: true }));

/** The JSON documents of an output, one a line, without seconds. */
const documents = (text: string): unknown[] =>
  text
    .split('\n')
    .filter((line) => line.startsWith('{'))
    .map((line) => JSON.parse(line, (key, value: unknown) => (/seconds/i.test(key) ? undefined : value)));

describe.skipIf(!hasMpi)('commands on ranks (skipped where there is no mpirun)', () => {
  it('evaluate and bench samplers come to the same as in one process', async () => {
    const place = path.join(folder, 'ranks');
    const script = path.resolve('test/mpi/commands.mjs');
    const { status, stdout, stderr } = spawnSync(
      'mpirun',
      ['--allow-run-as-root', '--oversubscribe', '-n', '2', process.execPath, script, JSON.stringify(COMMANDS)],
      { cwd: place, encoding: 'utf8', timeout: 500_000 },
    );
    expect(status, stderr).toBe(0);
    let alone = '';
    for (const args of COMMANDS) {
      const finished = await runClipvq(path.join(folder, 'alone'), ...args);
      expect(finished.status, finished.stderr).toBe(0);
      alone += finished.stdout;
    }
    const found = documents(stdout);
    expect(found).toHaveLength(2);
    expect(found).toEqual(documents(alone));
  }, 600_000);
});
