/**
 * The tokenizer stage on pictures small enough for a test: it learns, and a resumed run repeats the whole one bit by
 * bit.
 */

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { picturesOf } from '../../test/support/pictures.ts';
import { UserError } from '../base/errors.ts';
import { float32, type NDArray, type Tree } from '../base/ndarray.ts';
import { flatten } from '../base/tree.ts';
import { Engine } from '../engine/engine.ts';
import type { Executor } from '../engine/executor.ts';
import { makeRecipe } from '../recipe/recipe.ts';
import type { TokenizerRecipe } from '../recipe/schema.ts';
import type { Metrics } from '../stage/stage.ts';
import { codecSizes, makeDecoder, makeEncoder } from './codec.ts';
import { firstQuantizedStep } from './schedule.ts';
import { tokenizerStage } from './stage.ts';

const SIZE = 8;
const recipe: TokenizerRecipe = {
  imageSize: SIZE,
  tokenizer: {
    ...makeRecipe('nano').tokenizer,
    patchSize: 4,
    channels: 8,
    channelMultipliers: [1],
    residualBlocks: 1,
    attentionResolutions: [2],
    middleAttention: false,
    normGroups: 4,
    latentChannels: 6,
    codes: 16,
    codeDim: 6,
    normalizeLatents: true,
    steps: 100,
    batch: 8,
    learningRate: 5e-3,
    warmupSteps: 3,
    beta1: 0.9,
    beta2: 0.99,
    autoencoderFraction: 0.4,
    latentNoise: 0.1,
    temperatureStart: 0.9,
    temperatureEnd: 0.05,
    hardAfter: 0.8,
    klWeight: 5e-4,
  },
};
const boundary = firstQuantizedStep(recipe.tokenizer);
const { steps } = recipe.tokenizer;

/** Pictures of two halves, each of one of four colours. */
const images = Uint8Array.from({ length: 32 * SIZE * SIZE * 3 }, (_, at) => {
  const [channel, column] = [at % 3, Math.floor(at / 3) % SIZE];
  const picture = Math.floor(at / (3 * SIZE * SIZE));
  const colour = column < SIZE / 2 ? picture % 4 : Math.floor(picture / 4) % 4;
  return [
    [230, 20, 20],
    [20, 200, 40],
    [30, 40, 220],
    [240, 240, 240],
  ][colour]![channel]!;
});

const engine = Engine.start({ threads: 1 });
afterAll(() => engine.close());

function start(seed: number) {
  let exported: Tree<NDArray> | undefined;
  const stage = tokenizerStage({
    engine,
    recipe,
    seed,
    pictures: picturesOf(images, SIZE),
    fingerprint: 'test',
    onExport: (params) => {
      exported = params;
    },
  });
  return { stage, exported: () => exported! };
}

/** Run a stage from the start, keeping the state before some steps. */
async function wholeRun(seed: number, keep: readonly number[]) {
  const { stage, exported } = start(seed);
  await engine.drop('');
  await stage.prepare();
  const metrics: Metrics[] = [];
  const states = new Map<number, Tree<NDArray>>();
  for (let step = 0; step < steps; step++) {
    if (keep.includes(step)) states.set(step, structuredClone(await engine.read('')));
    metrics.push(await stage.run(step));
  }
  await stage.export();
  return { metrics, states, params: exported() };
}

const interruptions = [5, boundary - 1, boundary, boundary + 1, Math.round(steps * 0.8)];
let whole: Awaited<ReturnType<typeof wholeRun>>;
beforeAll(async () => {
  whole = await wholeRun(1, interruptions);
});

describe('tokenizer stage', () => {
  it('learns in every phase and uses its codes', () => {
    const { metrics } = whole;
    const mean = (from: number, to: number) =>
      metrics.slice(from, to).reduce((sum, { loss }) => sum + loss, 0) / (to - from);
    expect(mean(boundary - 4, boundary)).toBeLessThan(0.7 * metrics[0]!.loss);
    expect(mean(steps - 4, steps)).toBeLessThan(0.8 * mean(boundary, boundary + 4));
    expect(metrics.at(-1)!.codesUsed).toBeGreaterThan(4);
    expect(metrics.at(-1)!.perplexity).toBeGreaterThan(2);
  });

  it('repeats the whole run when it is resumed, within a phase and at its borders', async () => {
    const { metrics, states } = whole;
    const { stage } = start(1);
    await stage.prepare();
    for (const step of interruptions) {
      await engine.drop('');
      await engine.load(states.get(step)!);
      stage.restore({});
      const resumed = [];
      for (let at = step; at < step + 6; at++) resumed.push(await stage.run(at));
      expect(resumed, `resumed at step ${step}`).toEqual(metrics.slice(step, step + 6));
    }
  });
});

describe('codec', () => {
  it('gives the same codes whatever the batch of the encoder', async () => {
    const arrays = flatten(whole.params);
    const some = images.subarray(0, 5 * 3 * SIZE * SIZE);
    const [one, three, usual] = [
      makeEncoder(engine, arrays, recipe, 'test', { sizes: [1] }),
      makeEncoder(engine, arrays, recipe, 'test', { sizes: [3] }),
      makeEncoder(engine, arrays, recipe, 'test'),
    ];
    const codes = await three.encode(some);
    expect(codes).toHaveLength(5 * three.tokens);
    expect(codes).toEqual(await one.encode(some));
    expect(codes).toEqual(await usual.encode(some));
  });

  it('decodes many pictures as it decodes each, with programs of a few sizes that are compiled when they are needed', async () => {
    const compiled: (string | undefined)[] = [];
    const counting: Executor = {
      device: engine.device,
      give: (state) => engine.give(state),
      upload: (path) => engine.upload(path),
      compile(program, options) {
        compiled.push(options?.name);
        return engine.compile(program, options);
      },
    };
    expect(codecSizes(64)).toEqual([1, 4, 16]);
    expect(codecSizes(256)).toEqual([1]);
    const decoder = makeDecoder(counting, flatten(whole.params), recipe, 'test');
    const { tokens } = decoder;
    const codes = Int32Array.from({ length: 22 * tokens }, (_, i) => (7 * i) % recipe.tokenizer.codes);
    expect(compiled).toEqual([]);
    const alone = [];
    for (let i = 0; i < 22; i++) alone.push(await decoder.decode(codes.subarray(i * tokens, (i + 1) * tokens)));
    expect(compiled).toEqual(['decoder 1']);
    const together = await decoder.decode(codes);
    expect(compiled).toEqual(['decoder 1', 'decoder 16', 'decoder 4']);
    expect(together).toHaveLength(22 * alone[0]!.length);
    const worst = alone.map((planes, i) =>
      Math.max(...planes.map((x, k) => Math.abs(x - together[i * planes.length + k]!))),
    );
    expect(Math.max(...worst)).toBeLessThan(1e-5);
    expect(Math.max(...together)).toBeGreaterThan(0);
  });

  it('draws codes by the number of the picture where that is wanted, and the most likely ones otherwise', async () => {
    // After training hardly a logit leaves room for chance.
    const flattened = (array: NDArray) =>
      float32(
        Float32Array.from(array.data, (x) => x / 100),
        array.shape,
      );
    const arrays = Object.fromEntries(
      Object.entries(flatten(whole.params)).map(([name, array]) => [
        name,
        name.startsWith('quantize.proj') ? flattened(array) : array,
      ]),
    );
    const drawing = { ...recipe, tokenizer: { ...recipe.tokenizer, encode: 'sample' as const } };
    const [three, two, other, likely] = [
      makeEncoder(engine, arrays, drawing, 'test', { sizes: [3], seed: 7 }),
      makeEncoder(engine, arrays, drawing, 'test', { sizes: [2], seed: 7 }),
      makeEncoder(engine, arrays, drawing, 'test', { sizes: [3], seed: 8 }),
      makeEncoder(engine, arrays, recipe, 'test', { sizes: [3], seed: 7 }),
    ];
    const codes = await three.encode(images);
    const stride = 3 * SIZE * SIZE;
    const numbers = Array.from({ length: 27 }, (_, i) => 5 + i);
    const tail = await two.encode(images.subarray(5 * stride), numbers);
    expect(tail).toEqual(codes.subarray(5 * three.tokens));
    const differing = (a: Int32Array, b: Int32Array) => a.filter((code, i) => code !== b[i]).length;
    expect(differing(codes, await other.encode(images))).toBeGreaterThan(0);
    expect(differing(codes, await likely.encode(images))).toBeGreaterThan(0);
  });

  it('names the file that does not fit', () => {
    const { 'quant_conv.weight': _, ...rest } = flatten(whole.params);
    expect(() => makeEncoder(engine, rest, recipe, 'model.safetensors')).toThrow(UserError);
    expect(() => makeEncoder(engine, rest, recipe, 'model.safetensors')).toThrow(
      /model\.safetensors.*quant_conv\.weight/,
    );
    const { 'post_quant_conv.weight': kernel, ...others } = flatten(whole.params);
    expect(() => makeDecoder(engine, others, recipe, 'model.safetensors')).toThrow(
      /model\.safetensors.*post_quant_conv\.weight/,
    );
    expect(() => makeDecoder(engine, { ...flatten(whole.params), foreign: kernel! }, recipe, 'file')).toThrow(
      /file holds foreign/,
    );
  });

  it('decodes with nothing but the weights of the decoder', async () => {
    const arrays = flatten(whole.params);
    const ends = ['decoder.', 'post_quant_conv.', 'quantize.embed.'];
    const own = Object.fromEntries(Object.entries(arrays).filter(([name]) => ends.some((end) => name.startsWith(end))));
    expect(Object.keys(own).length).toBeLessThan(Object.keys(arrays).length);
    const [entire, half] = [makeDecoder(engine, arrays, recipe, 'test'), makeDecoder(engine, own, recipe, 'test')];
    const codes = Int32Array.from({ length: half.tokens }, (_, i) => i % recipe.tokenizer.codes);
    expect(await half.decode(codes)).toEqual(await entire.decode(codes));
  });
});
