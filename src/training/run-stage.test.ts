/**
 * A stage under a limit of memory: it goes on in more parts where it grows, from where it was, or stops and says so.
 */

import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { UserError } from '../base/errors.ts';
import { scalar } from '../base/ndarray.ts';
import type { Engine } from '../engine/engine.ts';
import { makeRecipe } from '../recipe/recipe.ts';
import { RunDirectory } from '../run/directory.ts';
import type { StagePlan } from '../stage/descriptor.ts';
import type { Stage } from '../stage/stage.ts';
import type { RunContext } from './context.ts';
import { runStage, type WatchMemory } from './run-stage.ts';

const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'clipvq-run-stage-'));
afterAll(() => fs.rmSync(folder, { recursive: true }));
const recipe = makeRecipe('nano');

const planned: StagePlan = {
  name: 'diffusion',
  batch: 4,
  footprint: () => ({ state: 1, activations: 1, copies: 0, programs: 0 }),
  smaller: { state: 'it', activations: 'it' },
};

/** A run of a stage that counts its steps; `overAt` are the calls at which the process is found too large. */
async function walk(name: string, overAt: readonly number[], isNear = false) {
  const run = RunDirectory.create(path.join(folder, name), { seed: 0, data: 'faces', clip: 'compact', recipe });
  const notes: string[] = [];
  const steps: { step: number; microBatches: number }[] = [];
  let calls = 0;
  const context: RunContext = {
    run,
    signal: new AbortController().signal,
    engineOptions: { threads: 1 },
    resume: false,
    checkpointEvery: 100,
    memory: 1e12,
    display: { step: () => {}, count: () => () => {}, note: (text) => notes.push(text) },
  };
  const watchMemory: WatchMemory = () => ({
    isOver: () => !isNear && overAt.includes(++calls),
    isNear: () => isNear,
  });
  const make = (engine: Engine, microBatches: number): Stage => {
    let done = 0;
    return {
      name: 'diffusion',
      steps: 6,
      batch: 4,
      fingerprint: 'f',
      prepare: () => engine.load({ x: scalar(0) }),
      run: async (step) => {
        // The last step's pictures are looked at once more with the weights that it left.
        if (done < 6) steps.push({ step, microBatches });
        done++;
        return { loss: step };
      },
      hostState: () => ({ done: scalar(done) }),
      restore: (host) => {
        done = host.done!.data[0]!;
      },
      export: async () => run.writeJson('done.json', done),
    };
  };
  const failure = await runStage(context, planned, make, watchMemory).then(
    () => undefined,
    (error: unknown) => error,
  );
  return { run, notes, steps, failure };
}

it('goes on in more parts, from where it was', async () => {
  const { run, notes, steps, failure } = await walk('grows', [2, 4]);
  expect(failure).toBeUndefined();
  expect(steps.map(({ step }) => step)).toEqual([0, 1, 2, 3, 4, 5]);
  expect(steps.map(({ microBatches }) => microBatches)).toEqual([1, 1, 2, 2, 4, 4]);
  expect(JSON.parse(fs.readFileSync(run.file('done.json'), 'utf8'))).toBe(6);
  expect(
    notes.filter((note) => /the process holds .* at step [24] of 6; it goes on in more parts/.test(note)),
  ).toHaveLength(2);
  expect(notes).toContainEqual(expect.stringMatching(/^diffusion: batch 4 in 2 parts of 2 to stay under 1000\.0 GB/));
});

it('stops with a checkpoint and one line where there are no more parts', async () => {
  const { run, steps, failure } = await walk('stuck', [1, 2, 3]);
  expect(steps.map(({ microBatches }) => microBatches)).toEqual([1, 2, 4]);
  expect(failure).toBeInstanceOf(UserError);
  expect(`${failure}`).toMatch(
    /at step 3 of 6, one picture at a time, and `memory` allows 1000\.0 GB: what is done is kept; go on with `resume`/,
  );
  expect(fs.existsSync(run.file('checkpoints', 'diffusion.safetensors'))).toBe(true);
});

it('lets a stage come near its limit where there are no more parts', async () => {
  const { steps, failure } = await walk('near', [], true);
  expect(failure).toBeUndefined();
  expect(steps.map(({ microBatches }) => microBatches)).toEqual([1, 2, 4, 4, 4, 4]);
});
