/**
 * Import and export without the reference at hand: any architecture is read back off its shapes, in every layout of
 * file.
 */
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';
import { shareEngines } from '../../test/support/keeping-engine.ts';
import {
  diffusionOf,
  discriminatorOf,
  exportTinyClip,
  type Flat,
  tinyRecipe,
  tokenizerOf,
} from '../../test/support/tiny-model.ts';
import { UserError } from '../base/errors.ts';
import { float32, type NDArray } from '../base/ndarray.ts';
import { flatten, unflatten } from '../base/tree.ts';
import { readSafetensors } from '../checkpoint/safetensors.ts';
import type { Writable } from '../checkpoint/torch/pickle.ts';
import { readTorch } from '../checkpoint/torch/read.ts';
import type { TorchTensor } from '../checkpoint/torch/tensors.ts';
import { writeTorch } from '../checkpoint/torch/write.ts';
import { scheduleOf } from '../diffusion/model.ts';
import { diffusionParameters } from '../diffusion/transformer.ts';
import { Generator } from '../generation/generator.ts';
import { tokenizerParameters } from '../vqgan/model.ts';
import { inferDiffusion, inferSchedule, inferTokenizer } from './architecture.ts';
import { referenceBuffers } from './buffers.ts';
import { exportDiffusion, exportTokenizer } from './export.ts';
import { type ImportOptions, importCheckpoints } from './import.ts';

shareEngines();
const small = tinyRecipe;

const root = fs.mkdtempSync(path.join(os.tmpdir(), 'clipvq-import-'));
afterAll(() => fs.rmSync(root, { recursive: true }));
const place = (name: string) => path.join(fs.mkdtempSync(path.join(root, 'x-')), name);

const dict = (content: Readonly<Record<string, Writable>>): ReadonlyMap<string, Writable> =>
  new Map(Object.entries(content));
const prefixed = (prefix: string, content: Flat): Flat =>
  Object.fromEntries(Object.entries(content).map(([name, array]) => [prefix + name, array]));
/** Names, shapes and bits, quick to compare. */
const bits = (content: Flat) =>
  Object.fromEntries(
    Object.entries(content).map(([name, { dtype, shape, data }]) => [
      name,
      [dtype, shape, Buffer.from(data.buffer, data.byteOffset, data.byteLength).toString('base64')],
    ]),
  );
function saved(content: Readonly<Record<string, Writable>>): string {
  const file = place('file.pth');
  writeTorch(file, dict(content));
  return file;
}
const run = (files: readonly string[], options: Partial<ImportOptions> = {}) =>
  importCheckpoints({ files, out: place('model'), preset: 'nano', clip: 'owner/clip', weights: 'ema', ...options });

const tokenizer = tokenizerOf(small);
const history = float32([9, 8, 7, 6, 5, 4, 3], [7]);
const schedule: Flat = { ...referenceBuffers(scheduleOf(small)), Lt_history: history };
const diffusion = { ...diffusionOf(small), ...schedule };
const averaged = Object.fromEntries(
  Object.entries(diffusion).map(([name, array]) => [name, { ...array, data: array.data.map((x) => x / 2) } as NDArray]),
);
const discriminator = discriminatorOf();
/** With what the shapes of the discriminator show. */
const withDiscriminator = { ...small.tokenizer, discriminatorLayers: 2, discriminatorChannels: 4 };
const lightning = saved({
  epoch: 3,
  state_dict: dict({ ...tokenizer, ...discriminator }),
});

/** A solver's checkpoint, with the tokenizer in two halves. */
const solver = saved({
  last_epoch: 1,
  model: dict({
    ...prefixed('transformer.', diffusion),
    ...prefixed('content_codec.enc.', tokenizer),
    ...prefixed('content_codec.dec.', tokenizer),
  }),
  ema: dict({ ...averaged, ...schedule }),
});

describe('layouts', () => {
  it.each([
    ['a released state dict', () => [lightning, saved(diffusion)], {}, diffusion],
    ['wrapped for several GPUs', () => [lightning, saved(prefixed('module.', diffusion))], {}, diffusion],
    ['a solver: averaged weights', () => [solver], {}, averaged],
    ['a solver: last weights', () => [solver], { weights: 'model' }, diffusion],
    ['a solver beside a tokenizer', () => [solver, lightning], {}, averaged],
  ] as const)('%s', (_, files, options, expected) => {
    const imported = run(files(), options);
    expect(imported).toMatchObject({ tokenizer: true, diffusion: true });
    expect(bits(imported.run.readModel('tokenizer').tensors)).toEqual(bits(tokenizer));
    const weights = Object.fromEntries(Object.entries(expected).filter(([name]) => !(name in schedule)));
    expect(bits(imported.run.readModel('diffusion').tensors)).toEqual(bits(weights));
    const { recipe } = imported.run.settings;
    expect(recipe.tokenizer).toEqual(files().includes(lightning) ? withDiscriminator : small.tokenizer);
    expect(recipe.diffusion).toEqual(small.diffusion);
    expect(recipe).toMatchObject({ imageSize: 16, sampling: { steps: 7, nullEmbedding: 'raw' } });
  });

  it('a tokenizer alone, and a diffusion model alone', () => {
    const alone = run([lightning], { imageSize: 16 });
    expect(alone).toMatchObject({ tokenizer: true, diffusion: false });
    expect(alone.run.settings.recipe.tokenizer).toEqual(withDiscriminator);
    expect(alone.notes).toEqual([]);
    const kept = readSafetensors(alone.run.file('tokenizer', 'discriminator.safetensors')).tensors;
    expect(
      Object.keys(kept)
        .map((name) => `loss.discriminator.${name}`)
        .sort(),
    ).toEqual(Object.keys(discriminator).sort());
    expect(run([saved(diffusion)])).toMatchObject({ tokenizer: false, diffusion: true });
  });

  it('leaves out a discriminator of another kind, and says so', () => {
    const strange = { ...tokenizer, 'loss.discriminator.main.0.weight': tokenizer['quant_conv.weight']! };
    const { run: model, notes } = run([saved({ state_dict: dict(strange) })], { imageSize: 16 });
    expect(notes).toEqual([expect.stringMatching(/^The discriminator is left out: .*main\.0/)]);
    expect(fs.existsSync(model.file('tokenizer', 'discriminator.safetensors'))).toBe(false);
  });
});

describe('architecture', () => {
  const shape = fc.record({
    channels: fc.integer({ min: 1, max: 4 }),
    channelMultipliers: fc.array(fc.integer({ min: 1, max: 3 }), { minLength: 1, maxLength: 4 }),
    residualBlocks: fc.integer({ min: 1, max: 3 }),
    levels: fc.array(fc.nat(3), { maxLength: 3 }),
    middleAttention: fc.boolean(),
    patchSize: fc.integer({ min: 1, max: 3 }),
    latentChannels: fc.integer({ min: 1, max: 5 }),
    codes: fc.integer({ min: 1, max: 9 }),
    codeDim: fc.integer({ min: 1, max: 5 }),
  });

  it('of any tokenizer is read off its shapes', () => {
    fc.assert(
      fc.property(shape, ({ levels, ...rest }) => {
        const attentionLevels = [...new Set(levels)].filter((level) => level < rest.channelMultipliers.length).sort();
        const side = 64;
        const settings = {
          ...rest,
          normGroups: 32,
          attentionResolutions: attentionLevels.map((level) => side / 2 ** level),
        };
        const parameters = flatten(tokenizerParameters(settings, side * rest.patchSize));
        expect(inferTokenizer(parameters, 'file')).toEqual({
          settings: { ...rest, normGroups: 32, normalizeLatents: false },
          attentionLevels,
        });
      }),
    );
  });

  it('of any transformer is read off its shapes', () => {
    const config = fc.record({
      layers: fc.integer({ min: 1, max: 12 }),
      width: fc.integer({ min: 1, max: 4 }),
      mlp: fc.constantFrom('conv', 'fc'),
      mlpRatio: fc.constantFrom(0.5, 1, 2, 4),
      timesteps: fc.integer({ min: 2, max: 200 }),
      codes: fc.integer({ min: 1, max: 50 }),
      grid: fc.integer({ min: 1, max: 9 }),
      conditionDim: fc.integer({ min: 1, max: 40 }),
    });
    fc.assert(
      fc.property(config, ({ width, codes, grid, conditionDim, ...rest }) => {
        const settings = { ...rest, dim: 32 * width, heads: width };
        const parameters = flatten(diffusionParameters({ ...settings, codes, grid, conditionDim }));
        expect(inferDiffusion(parameters, 'file')).toEqual({ settings, codes, grid, conditionDim });
        expect(inferDiffusion(parameters, 'file', 2 * width).settings.heads).toBe(2 * width);
      }),
    );
  });

  it('of the noise schedule is read off its logarithms, and only if it is linear', () => {
    const logs = referenceBuffers(scheduleOf(small));
    const [alpha, gamma] = [logs.log_cumprod_at!.data, logs.log_cumprod_ct!.data];
    expect(inferSchedule(alpha, gamma, 'file')).toEqual({
      alphaBarStart: 0.99999,
      alphaBarEnd: 0.000009,
      gammaBarStart: 0.000009,
      gammaBarEnd: 0.99999,
    });
    const bent = alpha.map((x, t) => (t === 3 ? x - 0.01 : x));
    expect(() => inferSchedule(bent, gamma, 'file')).toThrow(/file: its noise schedule is not linear at step 3/);
  });
});

describe('mistakes end in one line', () => {
  const without = (name: string): Flat => Object.fromEntries(Object.entries(diffusion).filter(([key]) => key !== name));
  const reshaped = (name: string): Flat => ({ ...diffusion, [name]: tokenizer['quant_conv.weight']! });

  it.each<[string, () => unknown, RegExp]>([
    [
      'neither part',
      () => run([saved({ weight: tokenizer['quant_conv.weight']! })]),
      /holds neither a VQGAN tokenizer nor a diffusion transformer/,
    ],
    [
      'two diffusion models',
      () => run([saved(diffusion), saved(diffusion)]),
      /both hold a diffusion model: give one of them/,
    ],
    ['two tokenizers', () => run([lightning, lightning]), /both hold a tokenizer: give one of them/],
    [
      'parts of different models',
      () =>
        run([
          saved({ state_dict: dict(tokenizerOf({ ...small, tokenizer: { ...small.tokenizer, codes: 11 } })) }),
          saved(diffusion),
        ]),
      /11 codes, the diffusion model 10: they do not belong together/,
    ],
    [
      'a missing parameter',
      () => run([saved(without('transformer.blocks.1.attn.key.bias'))]),
      /lacks the parameter transformer\.blocks\.1\.attn\.key\.bias/,
    ],
    [
      'a misshapen parameter',
      () => run([saved(reshaped('transformer.blocks.1.attn.key.weight'))]),
      /transformer\.blocks\.1\.attn\.key\.weight is float32/,
    ],
    ['an unnamed CLIP', () => run([saved(diffusion)], { clip: undefined }), /CLIP of width 64: name it with `clip`/],
    [
      'a wrong size',
      () => run([lightning, saved(diffusion)], { imageSize: 32 }),
      /pictures of 16 pixels: leave `imageSize` out/,
    ],
    ['a folder that is taken', () => run([lightning], { out: run([lightning]).run.path }), /already holds a run/],
    [
      'a tokenizer the reference cannot have',
      () =>
        exportTokenizer(
          run([
            saved({
              state_dict: dict(tokenizerOf({ ...small, tokenizer: { ...small.tokenizer, middleAttention: false } })),
            }),
          ]).run,
          place('out.pth'),
        ),
      /tokenizer\.middleAttention=true/,
    ],
  ])('%s', (_, action, message) => {
    expect(action).toThrow(UserError);
    expect(action).toThrow(message);
  });

  it('and leave no folder behind', () => {
    const out = place('model');
    expect(() => run([saved(without('transformer.to_logits.0.bias'))], { out })).toThrow(UserError);
    expect(fs.existsSync(out)).toBe(false);
  });
});

it('exports what it has imported, and imports what it has exported', () => {
  const first = run([saved({ state_dict: dict(tokenizer) }), saved(diffusion)]).run;
  const [one, two] = [place('one.pth'), place('two.ckpt')];
  expect(exportDiffusion(first, one)).toBe(Object.keys(diffusion).length);
  expect(exportTokenizer(first, two)).toBe(Object.keys(tokenizer).length);
  expect([...(readTorch(one) as Map<string, unknown>).keys()].sort()).toEqual(Object.keys(diffusion).sort());
  const second = run([one, two]).run;
  expect(second.settings).toEqual(first.settings);
  expect(second.modelHash()).toBe(first.modelHash());
});

it('keeps the history of losses with the weights it belongs to', () => {
  const { run: model } = run([saved(diffusion)]);
  const exported = () => {
    const file = place('file.pth');
    exportDiffusion(model, file);
    return (readTorch(file) as Map<string, TorchTensor>).get('Lt_history')!.load();
  };
  expect(exported()).toEqual(history);
  const { tensors } = model.readModel('diffusion');
  model.saveModel(
    'diffusion',
    unflatten(
      Object.fromEntries(
        Object.entries(tensors).map(([name, { shape, data }]) => [
          name,
          float32(
            Float32Array.from(data, (x) => x + 1),
            shape,
          ),
        ]),
      ),
    ),
    {},
  );
  expect(exported()).toEqual(float32(new Float32Array(7), [7]));
});

it('makes a model that generates', async () => {
  const clip = place('clip');
  exportTinyClip(clip);
  const { run: model } = run([lightning, saved(diffusion)], { clip });
  const generator = await Generator.load(model.path, { threads: 1 });
  try {
    const [picture] = await generator.generate(['a red face'], { guidanceScale: 3 });
    expect(picture).toMatchObject({ prompt: 'a red face', image: { width: 16, height: 16 }, settings: { steps: 7 } });
  } finally {
    await generator.close();
  }
});
