/** `mpirun clipvq train`: a rank is killed at a random moment, and another number of ranks goes on. */

import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parseRecipe } from '../../src/recipe/recipe.ts';
import { runClipvq } from '../support/cli.ts';
import { leanRecipe, writeTinyRun } from '../support/tiny-model.ts';

const hasMpi = spawnSync('mpirun', ['--version']).status === 0;
const STEPS = 40;
const recipe = parseRecipe(
  {
    ...leanRecipe,
    images: 16,
    diffusion: { ...leanRecipe.diffusion, dim: 16, mlpRatio: 1, steps: STEPS, batch: 6, warmupSteps: 0 },
  },
  'test',
);

let folder: string;
beforeAll(() => {
  folder = fs.mkdtempSync(path.join(os.tmpdir(), 'clipvq-ranks-'));
});
afterAll(() => fs.rmSync(folder, { recursive: true }));

const wordsOf = (run: string) => [
  ...['train', '--run', run, '--resume', '--stage', 'diffusion', '--checkpoint-every', '5', '--threads', '1'],
];

function train(run: string, ranks: number): ChildProcess & { readonly ended: Promise<{ code: number; text: string }> } {
  const own = [process.execPath, 'bin/clipvq.cjs', ...wordsOf(run)];
  const launcher = ['--allow-run-as-root', '--oversubscribe', '-n', `${ranks}`];
  const child = spawn('mpirun', [...launcher, ...own], { stdio: ['ignore', 'pipe', 'pipe'], timeout: 380_000 });
  let text = '';
  for (const stream of [child.stdout!, child.stderr!])
    stream.on('data', (chunk: Buffer) => {
      text += chunk;
    });
  const ended = new Promise<{ code: number; text: string }>((resolve) => {
    child.on('close', (code) => resolve({ code: code ?? -1, text }));
  });
  return Object.assign(child, { ended });
}

const losses = (run: string): number[] =>
  fs
    .readFileSync(path.join(run, 'log.jsonl'), 'utf8')
    .split('\n')
    .filter(Boolean)
    .map((line) => (JSON.parse(line) as { loss: number }).loss);

/** The ranks that a launcher has started, in the order in which it did. */
const ranksOf = (launcher: number): number[] =>
  fs.readFileSync(`/proc/${launcher}/task/${launcher}/children`, 'utf8').trim().split(' ').map(Number);

describe.skipIf(!hasMpi)('clipvq train on ranks (skipped where there is no mpirun)', () => {
  it('goes on after the death of a rank, with another number of ranks, as if nothing had been', async () => {
    const [whole, cut] = [path.join(folder, 'whole'), path.join(folder, 'cut')];
    for (const run of [whole, cut]) writeTinyRun(run, recipe);
    const alone = await runClipvq('.', ...wordsOf(whole));
    expect(alone.status, alone.stderr).toBe(0);
    const two = train(cut, 2);
    const checkpoint = path.join(cut, 'checkpoints', 'diffusion.safetensors');
    while (!fs.existsSync(checkpoint) && two.exitCode === null) await sleep(20);
    await sleep(100 * Math.random());
    process.kill(ranksOf(two.pid!)[1]!, 'SIGKILL');
    const killed = await two.ended;
    expect(killed.code).not.toBe(0);
    expect(killed.text).toMatch(/rank 1\b.*signal 9/i);

    const three = await train(cut, 3).ended;
    expect(three.code, three.text).toBe(0);
    expect(three.text.match(/Trained /g)).toHaveLength(1);
    expect(losses(whole)).toHaveLength(STEPS);
    const [expected, got] = [losses(whole), losses(cut)];
    expect(got).toHaveLength(STEPS);
    expected.forEach((loss, step) => {
      expect(Math.abs(got[step]! / loss - 1), `loss of step ${step}`).toBeLessThan(1e-5);
    });
  }, 800_000);
});
