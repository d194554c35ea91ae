/**
 * The exported networks in onnxruntime-node alone, at batches other than one, against our engine; and the example of
 * docs/onnx.md, whose sampler is repeated here over our own programs.
 */

import { execFile } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { InferenceSession, Tensor } from 'onnxruntime-node';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { shareEngines } from '../../test/support/keeping-engine.ts';
import { diffusionOf, tinyRecipe, tokenizerOf, writeTinyRun } from '../../test/support/tiny-model.ts';
import { unflatten } from '../base/tree.ts';
import type { Sampler } from '../diffusion/samplers/sampler.ts';
import { Generator } from '../generation/generator.ts';
import { normals } from '../random/noise.ts';
import { parseRecipe } from '../recipe/recipe.ts';
import { RunDirectory } from '../run/directory.ts';
import { exportOnnx } from './onnx.ts';

shareEngines();
const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'onnx-'));
const at = (...parts: string[]) => path.join(folder, ...parts);
const PROMPT = 'a red face';
const steps = 5;
const side = tinyRecipe.imageSize;
/** Folded tokens in the one, convolutional MLPs in the other: both gather over the batch where it is not open. */
const recipes = {
  folded: { ...tinyRecipe, diffusion: { ...tinyRecipe.diffusion, fold: 2, mlp: 'fc' as const } },
  conv: { ...tinyRecipe, diffusion: { ...tinyRecipe.diffusion, mlp: 'conv' as const } },
};

const generators = new Map<string, Generator>();
beforeAll(async () => {
  for (const [name, changed] of Object.entries(recipes)) {
    const recipe = parseRecipe({ ...changed, sampling: { ...changed.sampling, steps } }, 'test');
    const run = writeTinyRun(at(name), recipe);
    run.saveModel('tokenizer', unflatten(tokenizerOf(recipe)), {});
    run.saveModel('diffusion', unflatten(diffusionOf(recipe)), {});
    await exportOnnx(run, at(`${name}-onnx`));
    generators.set(name, await Generator.load(run.path, { threads: 1 }));
  }
});
afterAll(async () => {
  for (const generator of generators.values()) await generator.close();
  fs.rmSync(folder, { recursive: true, force: true });
});

/** Fills the most certain places first, as examples/onnx.mjs does. */
const certain: Sampler = async (denoise, { tokens, schedule: { codes, steps: times } }) => {
  const x = new Int32Array(tokens).fill(codes);
  for (let step = 0; step < steps; step++) {
    const logProbs = await denoise(x.slice(), Math.floor(times * (1 - step / steps)) - 1);
    const guesses = [...x.keys()]
      .filter((i) => x[i] === codes)
      .map((i) => {
        const row = logProbs.subarray(i * codes, (i + 1) * codes);
        const most = Math.max(...row);
        return { i, best: row.indexOf(most), most };
      });
    guesses.sort((a, b) => b.most - a.most || a.i - b.i);
    const open = Math.floor(tokens * (1 - (step + 1) / steps));
    for (const { i, best } of guesses.slice(0, guesses.length - open)) x[i] = best;
  }
  return x;
};

describe.each(['folded', 'conv'] as const)('the model %s as ONNX', (name) => {
  const open = (file: string) => InferenceSession.create(at(`${name}-onnx`, file));

  it('encodes and decodes three pictures at once as our engine does', async () => {
    const generator = generators.get(name)!;
    const count = 3;
    const bytes = Uint8Array.from(normals({ seed: 1, stream: 'pixels', step: 0 }, 0, count * 3 * side ** 2), (x) =>
      Math.max(0, Math.min(255, 128 + 60 * x)),
    );
    const images = Array.from({ length: count }, (_, i) => ({
      width: side,
      height: side,
      data: bytes.slice(i * 3 * side ** 2, (i + 1) * 3 * side ** 2),
    }));
    const planes = new Float32Array(bytes.length);
    const area = side ** 2;
    for (let i = 0; i < bytes.length; i++) {
      const [picture, within] = [Math.floor(i / (3 * area)), i % (3 * area)];
      planes[picture * 3 * area + (within % 3) * area + Math.floor(within / 3)] = bytes[i]! / 127.5 - 1;
    }
    const encoder = await open('encoder.onnx');
    expect(encoder.inputMetadata[0]).toMatchObject({ name: 'x', shape: ['batch', 3, side, side] });
    const { codes } = await encoder.run({ x: new Tensor('float32', planes, [count, 3, side, side]) });
    const ours = await generator.encode(images);
    expect([...(codes!.data as Int32Array)]).toEqual([...ours]);

    const { x } = await (await open('decoder.onnx')).run({ codes: codes! });
    const decoded = await generator.decode(ours);
    const pixels = decoded.flatMap(({ data }) => [...data]);
    const theirs = Array.from(pixels, (_, i) => {
      const [picture, within] = [Math.floor(i / (3 * area)), i % (3 * area)];
      return (x!.data as Float32Array)[picture * 3 * area + (within % 3) * area + Math.floor(within / 3)]!;
    });
    // Half a step of a byte, and rounding.
    const worst = pixels.reduce(
      (most, byte, i) => Math.max(most, Math.abs(byte - 127.5 - 127.5 * Math.max(-1, Math.min(1, theirs[i]!)))),
      0,
    );
    expect(worst).toBeLessThan(0.51);
    expect(new Set(pixels).size).toBeGreaterThan(20);
  });

  it('is sampled by the example as our own programs are', async () => {
    await promisify(execFile)(process.execPath, [
      path.resolve('examples/onnx.mjs'),
      at(`${name}-onnx`),
      PROMPT,
      at(`${name}.ppm`),
    ]);
    const [picture] = await generators.get(name)!.generate(PROMPT, { customSampler: certain });
    expect(new Set(picture!.tokens).size).toBeGreaterThan(1);
    const ppm = fs.readFileSync(at(`${name}.ppm`));
    const bytes = [...ppm.subarray(ppm.length - 3 * side ** 2)];
    const worst = bytes.reduce((most, byte, i) => Math.max(most, Math.abs(byte - picture!.image.data[i]!)), 0);
    expect(worst).toBeLessThanOrEqual(1);
  });
});

it('the guide shows the example as it is', () => {
  const guide = fs.readFileSync('docs/onnx.md', 'utf8');
  expect(guide).toContain(`\`\`\`js\n${fs.readFileSync('examples/onnx.mjs', 'utf8')}\`\`\``);
});

it('an export does not write into a folder that holds something', async () => {
  await expect(exportOnnx(RunDirectory.open(at('conv')), at('conv-onnx'))).rejects.toThrow(
    'is not empty: choose a new folder for the ONNX files',
  );
});
