/** What a run keeps is what was written: damage is noticed, hashes are of weights, logs have each step once. */

import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { readLog } from '../../test/support/run-log.ts';
import { tinyStages } from '../../test/support/tiny-stages.ts';
import { float32 } from '../base/ndarray.ts';
import { NotFinite } from '../checkpoint/finite.ts';
import { writeSafetensors } from '../checkpoint/safetensors.ts';
import { integers } from '../random/noise.ts';
import { RunDirectory } from './directory.ts';
import { sweepRun } from './leftovers.ts';

const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'clipvq-directory-'));
afterAll(() => fs.rmSync(folder, { recursive: true }));
let runs = 0;
const begin = () =>
  RunDirectory.create(path.join(folder, `run-${runs++}`), {
    seed: 0,
    data: 'faces',
    clip: 'compact',
    recipe: tinyStages,
  });
const params = { layer: { weight: float32([1, 2, 3, 4], [2, 2]), bias: float32([5, 6], [2]) } };
const made = { step: '12', fingerprint: 'abc', madeFrom: '{"settings":"s"}' };

it('notices every changed byte of a model', () => {
  const run = begin();
  run.saveModel('tokenizer', params, made);
  const file = run.file('tokenizer', 'model.safetensors');
  const whole = fs.readFileSync(file);
  for (const at of integers({ seed: 1, stream: 'damage', step: 0 }, 0, 60, whole.length)) {
    const bytes = Buffer.from(whole);
    bytes[at]! ^= 1 << (at % 8);
    fs.writeFileSync(file, bytes);
    expect(() => run.readModel('tokenizer'), `byte ${at}`).toThrow(/tokenizer.model\.safetensors/);
  }
  fs.writeFileSync(file, whole);
  expect(run.readModel('tokenizer').tensors['layer.bias']!.data).toEqual(Float32Array.of(5, 6));
});

it('has the same hash of the same weights, whatever their file says of its making, and as before there was any', () => {
  const run = begin();
  run.saveModel('diffusion', params, { latents: 'l', ...made });
  const hash = run.stageHash('diffusion');
  run.saveModel('diffusion', params, { latents: 'l', ...made, step: '13' });
  expect(run.stageHash('diffusion')).toBe(hash);
  const texts = { format: 'clip-vqdiffusion run diffusion', version: '1', latents: 'l' };
  const { weight, bias } = params.layer;
  writeSafetensors(run.file('diffusion', 'model.safetensors'), { 'layer.weight': weight, 'layer.bias': bias }, texts);
  expect(run.stageHash('diffusion')).toBe(hash);
});

it('keeps the model that is there when another one holds NaN', () => {
  const run = begin();
  run.saveModel('tokenizer', params, {});
  const ruined = { layer: { ...params.layer, bias: float32([Number.NaN, 1], [2]) } };
  expect(() => run.saveModel('tokenizer', ruined, {})).toThrow(NotFinite);
  expect(run.readModel('tokenizer').tensors['layer.bias']!.data).toEqual(Float32Array.of(5, 6));
});

it('takes out of the log what is done again, and a line that a kill has torn', () => {
  const run = begin();
  for (const stage of ['tokenizer', 'diffusion']) for (const step of [1, 2, 3]) run.log({ stage, step, loss: 1 });
  fs.appendFileSync(run.file('log.jsonl'), '{"stage":"diff');
  run.trimLog('diffusion', 1);
  expect(readLog(run.path).map(({ stage, step }) => `${stage} ${step}`)).toEqual([
    ...['tokenizer 1', 'tokenizer 2', 'tokenizer 3'],
    'diffusion 1',
  ]);
});

it('lets one of two begin a run, and readers change nothing', () => {
  const run = begin();
  const settings = { seed: 1, data: 'faces', clip: 'compact', recipe: tinyStages };
  expect(() => RunDirectory.create(run.path, settings)).toThrow(/already holds a run/);
  expect(() => RunDirectory.assertFree(run.file('run.json'))).toThrow(/run\.json is a file: name a new folder/);
  fs.writeFileSync(run.file('.run.json.1-0.tmp'), '');
  RunDirectory.open(run.path);
  expect(fs.existsSync(run.file('.run.json.1-0.tmp'))).toBe(true);
});

it('makes the folder of a stage that it does not know with its model, and sweeps it as the others', () => {
  const run = begin();
  run.saveModel('upscaler', params, made);
  expect(run.readModel('upscaler').metadata).toMatchObject(made);
  const left = run.file('upscaler', '.model.safetensors.99999999-0.tmp');
  fs.writeFileSync(left, '');
  sweepRun(run);
  expect(fs.existsSync(left)).toBe(false);
  expect(run.hasModel('upscaler')).toBe(true);
});

it('sweeps what killed owners left in all folders, and makes those that are missing', () => {
  const run = begin();
  fs.rmSync(run.file('checkpoints'), { recursive: true });
  const left = ['.run.json.1-0.tmp', 'cache/.inventory.jsonl.1-0.tmp', 'tokenizer/.model.safetensors.99999999-0.tmp'];
  for (const name of left) fs.writeFileSync(run.file(name), '');
  fs.mkdirSync(run.file('clip.123.tmp', 'onnx'), { recursive: true });
  sweepRun(run);
  for (const name of [...left, 'clip.123.tmp']) expect(fs.existsSync(run.file(name)), name).toBe(false);
  expect(fs.existsSync(run.file('checkpoints'))).toBe(true);
});
