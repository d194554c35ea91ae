/**
 * The trainer's promises, on a real but tiny diffusion stage: resumed runs repeat whole ones, interruptions lose
 * nothing, faults stop.
 */

import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterAll, beforeEach, describe, expect, it } from 'vitest';
import { startKeepingEngine } from '../../../test/support/keeping-engine.ts';
import { randomLatents, tinyDiffusionRecipe } from '../../../test/support/tiny-latents.ts';
import { Interrupted } from '../../base/errors.ts';
import { readMetadata, readSafetensors, writeSafetensors } from '../../checkpoint/safetensors.ts';
import { diffusionStage } from '../../diffusion/stage.ts';
import { RunDirectory } from '../../run/directory.ts';
import type { Stage } from '../../stage/stage.ts';
import { type TrainOptions, trainStage } from './trainer.ts';

const recipe = tinyDiffusionRecipe({ 'diffusion.steps': '8', 'diffusion.batch': '3' });
const latents = randomLatents(recipe);

const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'clipvq-trainer-'));
const engine = startKeepingEngine();
afterAll(async () => {
  await engine.close();
  fs.rmSync(folder, { recursive: true });
});

let run: RunDirectory;
let runs = 0;
beforeEach(() => {
  run = RunDirectory.create(path.join(folder, `run-${runs++}`), { seed: 7, data: 'faces', clip: 'compact', recipe });
});

function stage(fingerprint = 'a', microBatches = 1): Stage {
  return diffusionStage({
    name: 'diffusion',
    engine,
    recipe,
    seed: 7,
    latents,
    fingerprint,
    microBatches,
    onExport: (params, texts) => run.saveModel('diffusion', params, texts),
  });
}

/** Train, and return the loss of every step that ran. */
async function losses(made: Stage, options: Partial<TrainOptions> = {}): Promise<number[]> {
  const seen: number[] = [];
  await trainStage(made, {
    run,
    engine,
    resume: false,
    checkpointEvery: 100,
    onProgress: ({ metrics }) => seen.push(metrics.loss),
    ...options,
  });
  return seen;
}

const weights = () => fs.readFileSync(run.file('diffusion', 'model.safetensors'));

describe('trainer', () => {
  it('gives the same losses and weights for the same seed', async () => {
    const first = await losses(stage());
    const model = weights();
    expect(first).toHaveLength(8);
    expect(new Set(first).size).toBe(8);
    expect(await losses(stage())).toEqual(first);
    expect(weights().equals(model)).toBe(true);
  });

  it('repeats, bit for bit, what the whole run would have done when it is resumed', async () => {
    const whole = await losses(stage());
    const model = weights();
    fs.rmSync(run.file('checkpoints', 'diffusion.safetensors'));
    const half = await losses(stage(), { maxSteps: 3 });
    const rest = await losses(stage(), { resume: true });
    expect([...half, ...rest]).toEqual(whole);
    expect(weights().equals(model)).toBe(true);
  });

  it('keeps what was done when it is interrupted, and goes on from there', async () => {
    const whole = await losses(stage());
    fs.rmSync(run.file('checkpoints', 'diffusion.safetensors'));
    const controller = new AbortController();
    const before: number[] = [];
    const interrupted = losses(stage(), {
      signal: controller.signal,
      onProgress: ({ step, metrics }) => {
        before.push(metrics.loss);
        if (step === 5) controller.abort();
      },
    });
    await expect(interrupted).rejects.toThrow(Interrupted);
    expect([...before, ...(await losses(stage(), { resume: true }))]).toEqual(whole);
  });

  it('does nothing when there is nothing left to do', async () => {
    await losses(stage());
    expect(await losses(stage(), { resume: true })).toEqual([]);
  });

  it('stops with a choice where it does not know what has changed, touches nothing, and does as it is set to', async () => {
    await losses(stage('a'));
    const [model, file] = [weights(), run.file('checkpoints', 'diffusion.safetensors')];
    const checkpoint = fs.readFileSync(file);
    await expect(losses(stage('b'), { resume: true })).rejects.toThrow(
      /diffusion: what it was made from changed since its checkpoint of step 8, its last, which was not touched: add `changed: "restart"` .* or `changed: "go-on"` with `longer: "1.5x"` and `stages: "diffusion"`/,
    );
    await expect(losses(stage('b'), { resume: true, changed: 'go-on' })).rejects.toThrow(
      /its last, which was not touched/,
    );
    expect(weights().equals(model)).toBe(true);
    expect(fs.readFileSync(file).equals(checkpoint)).toBe(true);
    const notes: string[] = [];
    const onNote = (note: string) => notes.push(note);
    expect(await losses(stage('b'), { resume: true, changed: 'restart', onNote })).toHaveLength(8);
    expect(notes.join()).toMatch(/what it was made from changed .* it starts again/);
  });

  it('goes on under models that were trained further together with it, unless it has no steps left for them', async () => {
    await losses(stage('a'), { maxSteps: 3 });
    const notes: string[] = [];
    const together = { resume: true, changed: 'follow', onNote: (note: string) => notes.push(note) } as const;
    expect(await losses(stage('b'), together)).toHaveLength(5);
    expect(notes.join()).toMatch(/changed since its checkpoint of step 3; it goes on with what is there now/);
    await expect(losses(stage('c'), together)).rejects.toThrow(/checkpoint of step 8, its last, which was not touched/);
  });

  it('goes on from the checkpoint before the last where the last one is damaged', async () => {
    const whole = await losses(stage(), { checkpointEvery: 3 });
    const file = run.file('checkpoints', 'diffusion.safetensors');
    const bytes = fs.readFileSync(file);
    bytes[bytes.length - 100]! ^= 4;
    fs.writeFileSync(file, bytes);
    fs.rmSync(run.file('diffusion', 'model.safetensors'));
    const notes: string[] = [];
    const rest = await losses(stage(), { resume: true, onNote: (note) => notes.push(note) });
    expect(rest).toEqual(whole.slice(6));
    expect(notes.join()).toMatch(/checksum .* it goes on from the checkpoint before it, of step 6/);
  });

  it('keeps checkpoints by time where steps take long', async () => {
    await losses(stage(), { checkpointSeconds: 0, maxSteps: 5 });
    const of = (name: string) => readMetadata(run.file('checkpoints', name)).step;
    expect([of('diffusion.safetensors'), of('diffusion.previous.safetensors')]).toEqual(['5', '4']);
  });

  it('exports again when a kill came between the last checkpoint and the model', async () => {
    await losses(stage(), { maxSteps: 4 });
    const old = weights();
    await losses(stage(), { resume: true });
    const whole = weights();
    fs.writeFileSync(run.file('diffusion', 'model.safetensors'), old);
    expect(await losses(stage(), { resume: true })).toEqual([]);
    expect(weights().equals(whole)).toBe(true);
  });

  it('ends where a stage has had enough, and stays finished until it is made longer', async () => {
    const notes: string[] = [];
    const enough = (step: number) => (step === 5 ? 'enough of it' : undefined);
    expect(await losses({ ...stage(), enough }, { onNote: (note) => notes.push(note) })).toHaveLength(5);
    expect(notes).toContain('enough of it');
    const model = weights();
    expect(readMetadata(run.file('diffusion', 'model.safetensors')).step).toBe('5');
    expect(await losses(stage(), { resume: true })).toEqual([]);
    expect(weights().equals(model)).toBe(true);
  });

  it('says it when another number of threads goes on', async () => {
    await losses(stage(), { maxSteps: 3, threads: 2 });
    const notes: string[] = [];
    await losses(stage(), { resume: true, threads: 3, onNote: (note) => notes.push(note) });
    expect(notes.join('\n')).toMatch(
      /trained with 2 threads so far and goes on with 3: .*`threads: 2` repeats the run exactly/,
    );
  });

  it('keeps checkpoints of a run in micro-batches, and goes on from them in any number of parts', async () => {
    const whole = await losses(stage());
    fs.rmSync(run.file('checkpoints', 'diffusion.safetensors'));
    const begun = await losses(stage('a', 3), { maxSteps: 4, checkpointEvery: 2 });
    const resumed = await losses(stage('a', 3), { resume: true, maxSteps: 6, checkpointEvery: 1 });
    const ended = await losses(stage(), { resume: true });
    const all = [...begun, ...resumed, ...ended];
    expect(all).toHaveLength(8);
    all.forEach((loss, step) => {
      expect(loss / whole[step]!).toBeCloseTo(1, 3);
    });
  });

  it('refuses a damaged checkpoint in one line', async () => {
    await losses(stage(), { maxSteps: 2 });
    const file = run.file('checkpoints', 'diffusion.safetensors');
    fs.truncateSync(file, fs.statSync(file).size - 5);
    await expect(losses(stage(), { resume: true })).rejects.toThrow(/diffusion\.safetensors/);
  });

  it('refuses arrays of other shapes than this version has, by name', async () => {
    await losses(stage(), { maxSteps: 2 });
    const file = run.file('checkpoints', 'diffusion.safetensors');
    const { tensors } = readSafetensors(file);
    const path = 'state.params.transformer.blocks.0.mlp.0.weight';
    const [rows, columns] = tensors[path]!.shape as readonly [number, number];
    const turned = { ...tensors, [path]: { ...tensors[path]!, shape: [columns, rows] } };
    writeSafetensors(file, turned, readMetadata(file));
    await expect(losses(stage(), { resume: true })).rejects.toThrow(
      `diffusion.safetensors: params.transformer.blocks.0.mlp.0.weight is [${columns},${rows}] where this version needs [${rows},${columns}]; the stage has no other checkpoint that is sound: add `,
    );
  });
});
