/** The trainer's promises, on a real but tiny diffusion stage: resumed runs repeat whole ones, interruptions lose nothing, faults stop. */

import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterAll, beforeEach, describe, expect, it } from 'vitest';
import { Interrupted } from '../base/errors.ts';
import { readMetadata, readSafetensors, writeSafetensors } from '../checkpoint/safetensors.ts';
import { latentsOf } from '../diffusion/latents.ts';
import { diffusionStage } from '../diffusion/stage.ts';
import { Engine } from '../engine/engine.ts';
import { integers, normals } from '../random/noise.ts';
import { makeRecipe } from '../recipe/recipe.ts';
import { RunDirectory } from '../run/directory.ts';
import type { Metrics, Stage } from '../stage/stage.ts';
import { type TrainOptions, trainStage } from './trainer.ts';

const recipe = makeRecipe('nano', {
  'diffusion.layers': '1',
  'diffusion.dim': '16',
  'diffusion.heads': '2',
  'diffusion.steps': '8',
  'diffusion.batch': '3',
  'diffusion.timesteps': '5',
  'diffusion.warmupSteps': '2',
});
const [size, tokens, dim] = [10, 64, 8];
const features = Float32Array.from(normals({ seed: 5, stream: 'features', step: 0 }, 0, size * dim));
for (let i = 0; i < size; i++) {
  const row = features.subarray(i * dim, (i + 1) * dim);
  const length = Math.hypot(...row);
  row.forEach((x, d) => {
    row[d] = x / length;
  });
}
const latents = latentsOf(
  Int32Array.from(integers({ seed: 5, stream: 'codes', step: 0 }, 0, size * tokens, recipe.tokenizer.codes)),
  tokens,
  features,
  dim,
);

const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'clipvq-trainer-'));
const engine = Engine.start({ threads: 1 });
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
    onExport: (params) => run.saveModel('diffusion', params, {}),
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

  it('starts again, and says so, when what it learns from has changed', async () => {
    await losses(stage('a'));
    const notes: string[] = [];
    expect(await losses(stage('b'), { resume: true, onNote: (note) => notes.push(note) })).toHaveLength(8);
    expect(notes.join()).toMatch(/diffusion: what it learns from has changed/);
  });

  it('stops when the loss is no longer a number, and keeps the last good checkpoint', async () => {
    const made = stage();
    const broken: Stage = {
      ...made,
      run: async (step): Promise<Metrics> => (step === 5 ? { loss: Number.NaN } : made.run(step)),
    };
    await expect(losses(broken, { checkpointEvery: 4 })).rejects.toThrow(
      /diffusion: the loss is NaN at step 6; resume from step 4/,
    );
    const rest = await losses(stage(), { resume: true });
    expect(rest).toHaveLength(4);
    expect(rest.every(Number.isFinite)).toBe(true);
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
      `diffusion.safetensors: params.transformer.blocks.0.mlp.0.weight is [${columns},${rows}] where this version needs [${rows},${columns}]: delete the file`,
    );
  });
});
