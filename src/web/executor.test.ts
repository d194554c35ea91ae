/**
 * Generation on onnxruntime-web's WebAssembly, inside Node, against the engine: the same codes, and the same pictures
 * to a rounding.
 */

import * as ort from 'onnxruntime-web/wasm';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startKeepingEngine } from '../../test/support/keeping-engine.ts';
import { CONDITION, diffusionOf, tinyRecipe, tokenizerOf } from '../../test/support/tiny-model.ts';
import { float32 } from '../base/ndarray.ts';
import type { Executor } from '../engine/executor.ts';
import { type Frame, PictureModel } from '../generation/draw.ts';
import type { SamplingChoice } from '../generation/options.ts';
import * as g from '../graph/index.ts';
import { normals } from '../random/noise.ts';
import { makeDecoder } from '../vqgan/codec.ts';
import { WebExecutor } from './executor.ts';

ort.env.wasm.numThreads = 1;
const recipe = tinyRecipe;
const settings: SamplingChoice = { ...recipe.sampling, steps: 7, guidanceScale: 2 };
const SEEDS = [3, 4, 5, 2 ** 32 - 1];

const tokenizer = { label: 'tokenizer', tensors: tokenizerOf(recipe) };
const denoiser = { label: 'denoiser', tensors: diffusionOf(recipe) };
const open = (executor: Executor) => PictureModel.load({ executor, recipe, tokenizer, denoiser, seed: 1 });

const conditions = Float32Array.from(normals({ seed: 1, stream: 'conditions', step: 0 }, 0, SEEDS.length * CONDITION));
const largest = (a: Float32Array, b: Float32Array) =>
  a.reduce((worst, x, i) => Math.max(worst, Math.abs(x - b[i]!)), Number(a.length !== b.length));

const engine = startKeepingEngine();
afterAll(() => engine.close());
const web = new WebExecutor(ort);
let models: { readonly node: PictureModel; readonly web: PictureModel };
beforeAll(async () => {
  models = { node: await open(engine), web: await open(web) };
});

describe('on WebAssembly', () => {
  it.each(['ancestral', 'purity', 'halton', 'remask'] as const)(
    'the sampler %s draws the codes that it draws on the engine',
    async (sampler) => {
      const options = { settings: { ...settings, sampler }, seeds: SEEDS };
      const [ours, theirs] = [await models.node.draw(conditions, options), await models.web.draw(conditions, options)];
      expect(new Set(ours.tokens).size).toBeGreaterThan(5);
      expect(theirs).toEqual(ours);
    },
  );

  it('the log-probabilities of every step agree to 1e-5, and the pictures to 1e-4', async () => {
    const seen: Record<'node' | 'web', Float32Array[]> = { node: [], web: [] };
    const draw = (kind: 'node' | 'web') =>
      models[kind].draw(conditions, {
        settings,
        seeds: SEEDS,
        onStep: ({ prediction }) => seen[kind].push(prediction),
      });
    const { tokens } = await draw('node');
    await draw('web');
    expect(seen.node).toHaveLength(settings.steps);
    for (const [i, prediction] of seen.node.entries()) expect(largest(prediction, seen.web[i]!)).toBeLessThan(1e-5);
    const planes = async (executor: Executor) =>
      makeDecoder(executor, tokenizer.tensors, recipe, 'tokenizer').decode(tokens);
    const ours = await planes(engine);
    expect(Math.max(...ours)).toBeGreaterThan(0);
    expect(largest(ours, await planes(web))).toBeLessThan(1e-4);
  });

  it('frames show the way there, and leaving them ends the drawing', async () => {
    const stream = { settings, seeds: SEEDS.slice(0, 1), preview: true };
    const one = conditions.subarray(0, CONDITION);
    const frames: Frame[] = [];
    for await (const frame of models.web.frames(one, stream)) frames.push(frame);
    expect(frames.map(({ step }) => step)).toEqual([1, 2, 3, 4, 5, 6, 7]);
    const hidden = frames.map(({ masked }) => masked.reduce((sum, mask) => sum + mask, 0));
    expect(hidden.toSorted((a, b) => b - a)).toEqual(hidden);
    expect(hidden[0]).toBeGreaterThan(0);
    expect(hidden.at(-1)).toBe(0);
    const { tokens } = await models.web.draw(one, stream);
    expect(frames.at(-1)!.tokens).toEqual(tokens);
    expect(frames.at(-1)!.preview).toEqual(await models.web.decode(tokens));
    expect(frames[0]!.preview![0]).toMatchObject({ width: recipe.imageSize, height: recipe.imageSize });

    let steps = 0;
    const first = models.web.frames(one, stream);
    for await (const frame of first) {
      steps = frame.step;
      if (steps === 2) break;
    }
    expect(steps).toBe(2);
    expect(await first.next()).toEqual({ done: true, value: undefined });
  });

  it('conditions that are not one for each seed are refused', async () => {
    await expect(models.web.draw(conditions, { settings, seeds: [1] })).rejects.toThrow(
      '256 numbers are not 1 conditions of 64',
    );
  });

  it('a timer that aborts is heard between two steps', async () => {
    const stop = new AbortController();
    setTimeout(() => stop.abort(new Error('enough')), 0);
    let steps = 0;
    const onStep = () => {
      steps++;
    };
    await expect(models.web.draw(conditions, { settings, seeds: SEEDS, signal: stop.signal, onStep })).rejects.toThrow(
      'enough',
    );
    expect(steps).toBeLessThan(settings.steps);
  });
});

describe('the web executor', () => {
  it('keeps state between runs, and feeds back what programs return under its name', async () => {
    const executor = new WebExecutor(ort);
    await executor.give({ total: float32([1, 2], [2]) });
    const inputs = { state: { total: g.f32(2) }, x: g.f32(2) };
    const program = await executor.compile(
      g.trace(inputs, ({ state, x }) => {
        const total = g.add(state.total, x);
        return { state: { total }, twice: g.mul(total, 2) };
      }),
    );
    const x = float32([10, 20], [2]);
    expect(await program.run({ x })).toEqual({ twice: float32([22, 44], [2]) });
    expect(await program.run({ x })).toEqual({ twice: float32([42, 84], [2]) });
    await program.release();
  });

  it('refuses feeds that are missing, unknown, or of another shape, and state that nobody gave', async () => {
    const executor = new WebExecutor(ort);
    const program = await executor.compile(
      g.trace({ state: { w: g.f32(2) }, x: g.f32(2) }, ({ state, x }) => ({ y: g.add(state.w, x) })),
    );
    const x = float32([1, 2], [2]);
    await expect(program.run({ x })).rejects.toThrow('The state holds no state.w');
    await executor.give({ w: float32([0, 0], [2]) });
    await expect(program.run({})).rejects.toThrow('input x was not fed');
    await expect(program.run({ x: float32([1], [1]) })).rejects.toThrow(
      'Input x is float32 [1]; it was traced as float32 [2]',
    );
    await expect(program.run({ x, z: x })).rejects.toThrow('no input z');
    await expect(executor.give({ w: float32(new Float32Array(4).subarray(2), [2]) })).rejects.toThrow(
      'shares its buffer',
    );
    expect(await program.run({ x })).toEqual({ y: x });
  });
});
