/**
 * What goes wrong within a stage is neither kept nor exported: NaN and absurd weights in every stage, at every kind of
 * moment.
 */

import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterAll, beforeEach, describe, expect, it } from 'vitest';
import { startKeepingEngine } from '../../../test/support/keeping-engine.ts';
import { readLog } from '../../../test/support/run-log.ts';
import { tinyStage, tinyStages } from '../../../test/support/tiny-stages.ts';
import type { NDArray, Tree } from '../../base/ndarray.ts';
import { flatten, unflatten } from '../../base/tree.ts';
import { isFiniteArray } from '../../checkpoint/finite.ts';
import { readMetadata, readSafetensors, writeSafetensors } from '../../checkpoint/safetensors.ts';
import { RunDirectory } from '../../run/directory.ts';
import type { Metrics, Stage } from '../../stage/stage.ts';
import { checkpointFiles } from './checkpoint.ts';
import { Guard } from './guard.ts';
import { trainStage } from './trainer.ts';

const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'clipvq-guard-'));
const engine = startKeepingEngine();
afterAll(async () => {
  await engine.close();
  fs.rmSync(folder, { recursive: true });
});

let run: RunDirectory;
let runs = 0;
beforeEach(() => {
  const settings = { seed: 7, data: 'faces', clip: 'compact', recipe: tinyStages };
  run = RunDirectory.create(path.join(folder, `run-${runs++}`), settings);
});

/** Multiply all weights, after the step that has just run. */
async function spoil(factor: number): Promise<void> {
  const weights = flatten<NDArray>((await engine.read('params')) as Tree<NDArray>);
  for (const [name, array] of Object.entries(weights)) {
    const data = (array.data as Float32Array).map((x) => (x + 1) * factor);
    await engine.load(unflatten({ [`params.${name}`]: { ...array, data } as NDArray }));
  }
}

/**
 * The stage, of which step `at` leaves spoiled weights the first time that it runs, and its loss each time if `loss` is
 * given.
 */
function faulty(stage: Stage, at: number, factor: number, times = 1): Stage {
  let left = times;
  return {
    ...stage,
    run: async (step, rate) => {
      const metrics = await stage.run(step, rate);
      if (step === at && left-- > 0) await spoil(factor);
      return metrics;
    },
  };
}

async function train(stage: Stage, resume = false, checkpointEvery = 4): Promise<string[]> {
  const notes: string[] = [];
  const onNote = (note: string) => notes.push(note);
  await trainStage(stage, { run, engine, resume, checkpointEvery, onNote });
  return notes;
}

const modelOf = (name: string) => readSafetensors(run.file(name, 'model.safetensors'));
const steps = (stage: Stage) => checkpointFiles(run, stage).map((file) => Number(readMetadata(file).step));

describe.each(['clip', 'tokenizer', 'diffusion'] as const)('the guard of the %s stage', (name) => {
  it.each([
    // The loss of the step after it shows it, whose pictures are the first to be suspected.
    ['in the middle', 5, 7],
    ['at a checkpoint', 7, 8],
    ['at the last step', 11, 12],
  ])('takes back a step that leaves NaN %s, and exports good weights', async (_, at, leftOut) => {
    const stage = tinyStage(name, engine, run);
    const notes = await train(faulty(stage, at, Number.NaN));
    expect(notes.join('\n')).toMatch(new RegExp(`step ${leftOut} is left out, and it goes on from step`));
    const { tensors, metadata } = modelOf(name);
    expect(Object.values(tensors).every(isFiniteArray)).toBe(true);
    expect(metadata.step).toBe('12');
    expect(steps(stage)).toEqual([12, 8]);
  });
});

describe.each(['tokenizer', 'diffusion'] as const)('the guard of the %s stage', (name) => {
  it.each([
    ['at a checkpoint', 7],
    ['at the last step', 11],
  ])('takes back a step that leaves absurd weights %s', async (_, at) => {
    const stage = tinyStage(name, engine, run);
    const notes = await train(faulty(stage, at, 1e12));
    expect(notes.join('\n')).toMatch(new RegExp(`step ${at + 1} is left out`));
    for (const { data } of Object.values(modelOf(name).tensors))
      for (const x of data) if (Math.abs(x) > 1e6) throw new Error(`absurd weight ${x}`);
    expect(steps(stage)).toEqual([12, 8]);
  });
});

/** A stage of one number that knows nothing but its loss. */
function plain(loss: (step: number, rate: number) => number): Stage {
  const { run: _, ...rest } = tinyStage('diffusion', engine, run);
  return { ...rest, run: async (step, rate = 1): Promise<Metrics> => ({ loss: loss(step, rate) }) };
}

it('leaves out pictures whose loss is always NaN, two in a row, and trains the rest', async () => {
  const trained = new Set<number>();
  const stage = plain((step) => {
    if (step === 5 || step === 6) return Number.NaN;
    trained.add(step);
    return 1;
  });
  await train(stage);
  expect([...trained].sort((a, b) => a - b)).toEqual([0, 1, 2, 3, 4, 7, 8, 9, 10, 11]);
});

it('goes on with half the rate after three steps that were left out, and remembers it over a resume', async () => {
  const rates: number[] = [];
  const stage = plain((step, rate) => {
    if (step === 11) rates.push(rate);
    return step >= 5 && rate > 0.3 ? Number.POSITIVE_INFINITY : 1;
  });
  const notes = await train(stage);
  expect(notes.join('\n')).toContain('with half the learning rate (0.25 of that in the settings)');
  expect(rates.at(-1)).toBe(0.25);
  rates.length = 0;
  fs.rmSync(run.file('diffusion', 'model.safetensors'));
  await train(stage, true);
  expect(rates).toEqual([0.25]);
});

it('stops after three rollbacks with a command that works, and leaves the last checkpoints alone', async () => {
  const stage = plain((step) => (step >= 5 ? Number.NaN : 1));
  await expect(train(stage, false, 2)).rejects.toThrow(
    new RegExp(
      `^diffusion: the loss is NaN at step \\d+, also with 0.125 of the learning rate; what was good stays \\(step \\d\\)\\. Go on with a lower rate: \`train\\({ run: "${run.path}", resume: true, set: "diffusion.learningRate=0\\.\\d+" }\\)\`$`,
    ),
  );
  expect(steps(stage)).toEqual([6, 4]);
  expect(run.hasModel('diffusion')).toBe(false);
});

it('does not export what hardly any step has trained', async () => {
  const stage = plain((step, rate) => (step >= 2 && rate > 0.13 ? Number.NaN : 1));
  await expect(train(stage)).rejects.toThrow(/of 12 steps had to be left out.*diffusion\.learningRate=/);
  expect(run.hasModel('diffusion')).toBe(false);
});

it('says that nothing was learned where all steps are left out, keeps nothing, and begins anew at a lower rate', async () => {
  const stage = plain(() => Number.NaN);
  for (const count of [1, 3]) {
    const begun = trainStage(stage, { run, engine, resume: false, checkpointEvery: 1, maxSteps: count });
    await expect(begun).rejects.toThrow(
      count === 1
        ? /nothing was learned, no model was written: its only step was left out/
        : /all 3 steps were left out/,
    );
    await expect(begun).rejects.toThrow(/Go on with a lower rate: .*diffusion\.learningRate=/);
    expect(checkpointFiles(run, stage).some(fs.existsSync) || run.hasModel('diffusion')).toBe(false);
  }
  await train({ ...plain(() => 1), fingerprint: 'at a lower rate' }, true);
  expect(modelOf('diffusion').metadata.step).toBe('12');
});

it('offers to begin anew where no checkpoint is sound, and does so', async () => {
  const stage = tinyStage('diffusion', engine, run);
  await train(stage);
  fs.rmSync(run.file('diffusion', 'model.safetensors'));
  for (const file of checkpointFiles(run, stage)) {
    const { tensors, metadata } = readSafetensors(file);
    (tensors['state.params.transformer.blocks.0.mlp.0.weight']!.data as Float32Array).fill(Number.NaN);
    writeSafetensors(file, tensors, metadata);
  }
  await expect(train(stage, true)).rejects.toThrow(
    /not finite .*; the stage has no other checkpoint that is sound: add `changed: "restart"` to train diffusion anew/,
  );
  const notes: string[] = [];
  const onNote = (note: string) => notes.push(note);
  await trainStage(stage, { run, engine, resume: true, changed: 'restart', checkpointEvery: 4, onNote });
  expect(notes[0]).toMatch(/no other checkpoint that is sound: diffusion starts again/);
  expect(modelOf('diffusion').metadata.step).toBe('12');
});

it('writes every step once into the log, whatever was taken back', async () => {
  await train(faulty(tinyStage('diffusion', engine, run), 9, Number.NaN));
  const lines = readLog(run.path);
  expect(lines.map(({ step }) => step)).toEqual(Array.from({ length: 12 }, (_, i) => i + 1));
  expect(lines.filter(({ loss }) => loss === undefined)).toHaveLength(1);
});

it('lets the loss jump where its terms change, and not otherwise', () => {
  const guard = Guard.from();
  for (let i = 0; i < 50; i++) expect(guard.see({ loss: 0.01 + 0.001 * (i % 3) })).toBeUndefined();
  expect(guard.see({ loss: 5 })).toMatch(/^the loss is 5\.00, 4\.6e\+2 times its running mean$/);
  expect(guard.see({ loss: 5, perplexity: 9 })).toBeUndefined();
  expect(guard.see({ loss: 6, perplexity: 9 })).toBeUndefined();
  expect(Guard.from(guard.save()).save()).toBe(guard.save());
});
