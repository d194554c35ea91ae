/**
 * The paper's presets are the paper's: sizes, schedules, and the learning-rate regimes of the published configuration.
 */
import { describe, expect, it } from 'vitest';
import * as z from 'zod';
import { onJsonFixture } from '../../../test/support/fixtures.ts';
import { plateauConfig, plateauSettingsOf } from '../../../test/support/published-plateau.ts';
import { flatten } from '../../base/tree.ts';
import { isValidated, plateauSettings } from '../../diffusion/learning-rate.ts';
import { scheduleOf, transformerConfig } from '../../diffusion/model.ts';
import { marginal } from '../../diffusion/process/schedule.ts';
import { emaDecay } from '../../diffusion/stage.ts';
import { diffusionParameters } from '../../diffusion/transformer.ts';
import { countParameters } from '../../nn/parameters.ts';
import { tokenizerParameters } from '../../vqgan/model.ts';
import { rateAt, temperatureAt } from '../../vqgan/schedule.ts';
import { makeRecipe, parseRecipe, presets } from '../recipe.ts';
import { gridSize, type Recipe } from '../schema.ts';

/** ViT-B/32. */
const CLIP_DIM = 512;
const paper = ['ffhq-256', 'coco-256'] as const;
/** The settings of both stages of the diffusion model. */
const stagesOf = ({ diffusion, finetune }: Recipe) => ({ base: diffusion, finetune: { ...diffusion, ...finetune } });

describe.each(Object.keys(presets))('%s', (name) => {
  it('is a valid recipe under its own name, and survives being written down', () => {
    const recipe = makeRecipe(name);
    expect(recipe.preset).toBe(name);
    expect(parseRecipe(JSON.parse(JSON.stringify(recipe)), 'run.json')).toEqual(recipe);
  });
});

describe.each(paper)('%s', (name) => {
  const recipe = makeRecipe(name);

  it('has a transformer of 515 M parameters, 453 M of them in 3x3 convolutions', () => {
    const parameters = diffusionParameters(transformerConfig(recipe, CLIP_DIM));
    expect(countParameters(parameters) / 1e6).toBeCloseTo(515.2, 1);
    const shapes = flatten(parameters);
    const convolutions = Object.keys(shapes).filter((path) => shapes[path]!.shape.length === 4);
    const inConvolutions = convolutions.reduce((sum, path) => sum + countParameters(shapes[path]!), 0);
    expect(inConvolutions / 1e6).toBeCloseTo(453, 0);
    expect(Object.keys(parameters.transformer.blocks)).toHaveLength(24);
    expect(shapes['transformer.blocks.0.mlp.conv1.weight']!.shape).toEqual([2048, 512, 3, 3]);
    expect(shapes['transformer.content_emb.emb.weight']!.shape).toEqual([4097, 512]);
    expect(shapes['transformer.blocks.23.ln1.emb.weight']!.shape).toEqual([100, 512]);
    expect(recipe.diffusion.heads).toBe(16);
  });

  it('has a tokenizer of 72 M parameters beside its codebook, 16x16 tokens of 4,096 codes', () => {
    const { quantize, ...networks } = tokenizerParameters(recipe.tokenizer, recipe.imageSize);
    expect(countParameters(networks) / 1e6).toBeCloseTo(71.9, 1);
    expect(quantize.embed.weight.shape).toEqual([4096, 256]);
    expect(gridSize(recipe)).toBe(16);
    expect(flatten(networks)['encoder.conv_in.weight']!.shape).toEqual([128, 3, 3, 3]);
    expect(Object.keys(networks.encoder.down)).toHaveLength(5);
  });

  it('trains its tokenizer at the constant rate of 4.5e-6 for each picture of a batch', () => {
    const { steps, batch } = recipe.tokenizer;
    for (const step of [0, 1, steps / 2, steps - 1])
      expect(rateAt(recipe.tokenizer, step)).toBeCloseTo(4.5e-6 * batch, 15);
  });

  it('diffuses from 0.99999 to 0.000009 in 100 steps, by masks', () => {
    const schedule = scheduleOf(recipe);
    const [first, last] = [marginal(schedule, 0), marginal(schedule, 99)];
    expect([first.alpha, first.gamma]).toEqual([expect.closeTo(0.99999, 12), expect.closeTo(0.000009, 12)]);
    expect([last.alpha, last.gamma]).toEqual([expect.closeTo(0.000009, 12), expect.closeTo(0.99999, 12)]);
    expect(4096 * last.beta).toBeCloseTo(1e-6, 12);
  });

  it('optimises as published: AdamW(0.9, 0.96), decay 0.045, norm 0.5, an average of 0.99 every 25 steps', () => {
    const { diffusion } = recipe;
    expect(diffusion).toMatchObject({ beta1: 0.9, beta2: 0.96, weightDecay: 0.045, clipNorm: 0.5 });
    expect(diffusion).toMatchObject({ auxiliaryWeight: 5e-4, maskWeights: [1, 1] });
    const decays = Array.from({ length: 100 }, (_, step) => emaDecay(diffusion, step));
    expect([...decays.entries()].filter(([, decay]) => decay !== 1)).toEqual([24, 49, 74, 99].map((s) => [s, 0.99]));
  });

  it('teaches guidance in the second stage only', () => {
    expect([recipe.diffusion.nullProbability, recipe.finetune.nullProbability]).toEqual([0, 0.1]);
  });
});

it('tells faces from scenes by noise, guidance, batch, prefix and length', () => {
  const table = paper.map((name) => {
    const { diffusion, finetune, sampling, tokenizer } = makeRecipe(name);
    const { guidanceScale, truncation, steps, promptPrefix } = sampling;
    const ends = [0, tokenizer.steps].map((step) => temperatureAt(tokenizer, step));
    return [
      diffusion.noiseScale,
      [diffusion.batch, finetune.batch],
      [guidanceScale, truncation, steps, promptPrefix],
      [tokenizer.steps, tokenizer.learningRate / tokenizer.batch, ends],
    ];
  });
  const ends = [expect.closeTo(0.9, 9), expect.closeTo(0.01, 9)];
  expect(table).toEqual([
    [0.5, [16, 8], [1.2, 0.85, 100, 'a photograph of '], [218_750, expect.closeTo(4.5e-6, 15), ends]],
    [0.25, [16, 32], [3, 0.85, 100, ''], [385_300, expect.closeTo(4.5e-6, 15), ends]],
  ]);
});

const published = z.object({ config: plateauConfig });

onJsonFixture('optim', (value) => {
  const regimes = {
    plateau_base_ffhq: stagesOf(presets['ffhq-256']).base,
    plateau_finetune_ffhq: stagesOf(presets['ffhq-256']).finetune,
    plateau_coco_base: stagesOf(presets['coco-256']).base,
  };

  it.each(Object.entries(regimes))('the learning rate of %s', (name, settings) => {
    const { config } = published.parse((value as Readonly<Record<string, unknown>>)[name]);
    expect(plateauSettings(settings)).toEqual(plateauSettingsOf(config));
    expect(isValidated(settings)).toBe(config.mode === 'max');
  });
});
