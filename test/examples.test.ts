/** The programs of examples/, each as it stands there, on the smallest model. */

import { spawn } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { encodePng } from '../src/data/pictures/png.ts';
import { readPngText } from '../src/data/pictures/read-png-text.ts';
import { facesSource } from '../src/data/sources/faces/source.ts';
import { leanRecipe, writeTinyRun } from './support/tiny-model.ts';

const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'clipvq-examples-'));
const at = (...parts: string[]) => path.join(folder, ...parts);
let clip = '';

beforeAll(async () => {
  clip = writeTinyRun(at('model'), leanRecipe).clipFolder;
  fs.mkdirSync(at('my-pictures'));
  const faces = facesSource({ seed: 0, count: 8, offset: 0 });
  for (let i = 0; i < 8; i++)
    fs.writeFileSync(at('my-pictures', `${i}.png`), await encodePng(await faces.read(i, 32), {}));
});
afterAll(() => fs.rmSync(folder, { recursive: true }));

/** Runs an example; `onError` sees what it has printed to stderr so far. */
async function example(name: string, args: string[], onError?: (text: string, stop: () => void) => void) {
  const child = spawn(process.execPath, [path.resolve('examples', `${name}.mjs`), ...args], { cwd: folder });
  const output = { stdout: '', stderr: '' };
  // Once: a second Ctrl-C would end the program at once.
  let stopped = false;
  const stop = () => {
    if (!stopped) child.kill('SIGINT');
    stopped = true;
  };
  child.stdout.on('data', (data) => {
    output.stdout += data;
  });
  child.stderr.on('data', (data) => {
    output.stderr += data;
    onError?.(output.stderr, stop);
  });
  const status = await new Promise((resolve) => child.on('close', resolve));
  return { status, ...output };
}

it('generate.mjs writes pictures that remember their prompts', async () => {
  const { status, stdout, stderr } = await example('generate', ['model', 'pictures', 'a red hat', 'a blue hat']);
  expect(status, stderr).toBe(0);
  expect(stdout.trim().split('\n')).toHaveLength(4);
  expect(readPngText(fs.readFileSync(at('pictures', '4.png')))).toMatchObject({ Prompt: 'a blue hat', Seed: '8' });
});

it('encode-decode.mjs takes a picture to codes and back', async () => {
  const { status, stdout, stderr } = await example('encode-decode', ['model', 'my-pictures/0.png', 'back.png']);
  expect(status, stderr).toBe(0);
  expect(stdout).toMatch(/^64 codes of 10: /);
  expect(fs.readFileSync(at('back.png')).subarray(1, 4).toString()).toBe('PNG');
});

it('custom-sampler.mjs draws with a sampler of its own', async () => {
  const { status, stdout, stderr } = await example('custom-sampler', ['model', 'greedy.png', 'a red hat']);
  expect(status, stderr).toBe(0);
  expect(stdout).toMatch(/^greedy\.png: "a red hat", CLIP score -?0\.\d+/);
});

it('train.mjs stops when it is interrupted, and goes on when it is started again', async () => {
  const settings = [
    ...['imageSize=16', 'tokenizer.patchSize=2', 'tokenizer.steps=30', 'tokenizer.batch=4', 'tokenizer.channels=8'],
    // Codes from the first step on, at one resolution: each start compiles one small program of the tokenizer.
    ...['tokenizer.channelMultipliers=[1]', 'tokenizer.autoencoderFraction=0', 'tokenizer.perceptualWeight=0'],
    ...['tokenizer.codes=16', 'diffusion.steps=4', 'diffusion.batch=4'],
    ...['diffusion.layers=1', 'diffusion.dim=32', 'diffusion.heads=2', 'sampling.steps=4'],
  ];
  const line = ['my-pictures', 'run', clip, ...settings];
  const first = await example('train', line, (text, stop) => {
    if (/tokenizer 2\//.test(text)) stop();
  });
  expect(first.status, first.stderr).toBe(0);
  expect(first.stdout).toMatch(/^Stopped in stage tokenizer after step \d+ of 30: run the same line to go on/);
  const second = await example('train', line);
  expect(second.status, second.stderr).toBe(0);
  expect(second.stderr).not.toMatch(/tokenizer 1\//);
  expect(second.stdout).toMatch(/^Trained run: /);
});
