/** The reference's own checkpoints: imported, exported again bit by bit, and sampled from as the reference does. */
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { fixture, fixturePath, onFixture, onJsonFixture } from '../../test/support/fixtures.ts';
import { compare, EXACT, NETWORK, same } from '../../test/support/parity.ts';
import { readTorch } from '../checkpoint/torch/read.ts';
import { TorchTensor } from '../checkpoint/torch/tensors.ts';
import type { Value } from '../checkpoint/torch/values.ts';
import { DenoiserPool, scheduleOf, transformerConfig } from '../diffusion/model.ts';
import { reverseChain } from '../diffusion/samplers/chain.ts';
import { referenceDraw } from '../diffusion/samplers/reference.ts';
import { diffusionParameters } from '../diffusion/transformer.ts';
import { int32 } from '../ndarray.ts';
import { adopt } from '../nn/parameters.ts';
import { Engine } from '../runtime/engine.ts';
import type { RunDirectory } from '../training/run.ts';
import { compileCodec } from '../vqgan/codec.ts';
import { referenceBuffers } from './buffers.ts';
import { exportDiffusion, exportTokenizer } from './export.ts';
import { type ImportOptions, importCheckpoints } from './import.ts';

interface Entry {
  readonly top_level: readonly string[];
  readonly format: string;
}
interface System {
  readonly res: number;
  readonly K: number;
  readonly side: number;
  readonly n_embd: number;
  readonly n_head: number;
  readonly n_layer: number;
  readonly T: number;
}
interface DdConfig {
  readonly ch: number;
  readonly ch_mult: readonly number[];
  readonly num_res_blocks: number;
  readonly attn_resolutions: readonly number[];
  readonly z_channels: number;
}

const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'clipvq-convert-'));
afterAll(() => fs.rmSync(folder, { recursive: true }));

/** Imports files of the fixtures; the CLIP is only named, not loaded. */
function imported(names: readonly string[], system: System, options: Partial<ImportOptions> = {}): RunDirectory {
  const out = path.join(fs.mkdtempSync(path.join(folder, 'run-')), 'model');
  const files = names.map((name) => fixturePath('checkpoints', name));
  return importCheckpoints({
    files,
    out,
    preset: 'nano',
    heads: system.n_head,
    clip: 'owner/clip',
    weights: 'ema',
    ...options,
  }).run;
}

onJsonFixture('checkpoints/index', (json) => {
  const index = json as Readonly<Record<string, Entry>>;
  const file = (holds: string, format = 'zip') =>
    Object.keys(index).find((name) => index[name]!.format === format && index[name]!.top_level.includes(holds))!;
  const tokenizerFile = file('state_dict');
  const solver = file('ema');
  const released = Object.keys(index).find((name) => /released/.test(name))!;
  const legacy = file('ema', 'legacy');
  const settings = fixture('end_to_end');
  const [system, ddconfig] = [settings.setting('system') as System, settings.setting('ddconfig') as DdConfig];

  it.each([
    ['solver', [solver]],
    ['tokenizer and released', [tokenizerFile, released]],
    ['tokenizer and legacy solver', [tokenizerFile, legacy]],
  ])('the architecture of %s', (name, files) => {
    const { recipe } = imported(files, system).settings;
    const { tokenizer, diffusion } = recipe;
    const found = [
      recipe.imageSize,
      tokenizer.codes,
      diffusion.dim,
      diffusion.layers,
      diffusion.timesteps,
      tokenizer.channels,
      tokenizer.channelMultipliers,
      tokenizer.residualBlocks,
      tokenizer.attentionResolutions,
      tokenizer.latentChannels,
    ];
    const expected = [
      system.res,
      system.K,
      system.n_embd,
      system.n_layer,
      system.T,
      ddconfig.ch,
      ddconfig.ch_mult,
      ddconfig.num_res_blocks,
      ddconfig.attn_resolutions,
      ddconfig.z_channels,
    ];
    same('checkpoints', `${name}: architecture`, found, expected);
    expect(recipe.sampling).toMatchObject({ nullEmbedding: 'raw', steps: system.T });
    expect(diffusion).toMatchObject({
      alphaBarStart: 0.99999,
      alphaBarEnd: 0.000009,
      gammaBarStart: 0.000009,
      gammaBarEnd: 0.99999,
    });
  });

  it('round trips bit by bit: released, EMA and last weights, tokenizer', () => {
    const cases: [
      string,
      string[],
      Partial<ImportOptions>,
      string,
      (value: Value) => Value | undefined,
      RegExp,
      string,
    ][] = [
      ['released', [released], {}, 'diffusion', (root) => root, /^/, ''],
      ['EMA', [solver], {}, 'diffusion', (root) => at(root, 'ema'), /^/, ''],
      ['legacy EMA', [legacy], {}, 'diffusion', (root) => at(root, 'ema'), /^/, ''],
      ['last weights', [solver], { weights: 'model' }, 'diffusion', (root) => at(root, 'model'), /^transformer\./, ''],
      [
        'tokenizer',
        [tokenizerFile],
        { imageSize: system.res },
        'tokenizer',
        (root) => at(root, 'state_dict'),
        /^(?!loss\.)/,
        'state_dict',
      ],
    ];
    for (const [name, files, options, part, source, pattern, inside] of cases) {
      const run = imported(files, system, options);
      const out = path.join(run.path, 'back.pth');
      if (part === 'diffusion') exportDiffusion(run, out);
      else exportTokenizer(run, out);
      const original = bits(source(readTorch(fixturePath('checkpoints', files[0]!))), pattern);
      const back = bits(inside === '' ? readTorch(out) : at(readTorch(out), inside), /^/);
      expect(original.length).toBeGreaterThan(10);
      same('checkpoints', `${name}: round trip`, back, original);
    }
  });

  it('computes the buffers the reference stores', () => {
    const run = imported([solver], system);
    const model = at(readTorch(fixturePath('checkpoints', solver)), 'model');
    for (const [name, { data }] of Object.entries(referenceBuffers(scheduleOf(run.settings.recipe)))) {
      if (name.startsWith('Lt_')) continue;
      const stored = (at(model, `transformer.${name}`) as TorchTensor).load().data;
      compare('checkpoints', name, data, stored, { relative: 1e-6, absolute: 1e-6 });
    }
  });
});

onFixture('end_to_end', (file) => {
  const system = file.setting('system') as System;
  const engine = Engine.start({ threads: 1 });
  let run: RunDirectory;
  beforeAll(() => {
    const name = /checkpoints\/(\S+)/.exec(String(file.setting('weights')))![1]!;
    run = imported([name], system, { weights: 'model' });
  });
  afterAll(() => engine.close());

  it('draws the same codes from the imported model', async () => {
    const { recipe } = run.settings;
    const condition = file.tensor('text_embed');
    const [texts, dim] = condition.shape as readonly [number, number];
    const config = transformerConfig(recipe, dim);
    const params = adopt(diffusionParameters(config), run.readModel('diffusion').tensors, 'the imported model');
    const pool = await DenoiserPool.create(engine, config, params, recipe.sampling.nullEmbedding);
    const truncation = Number(/^top([\d.]+)r$/.exec(String(file.setting('sample_type')))![1]);
    const draw = async (rows: Float32Array, uniform: (step: number) => ArrayLike<number>) => {
      const options = {
        schedule: scheduleOf(recipe),
        batch: rows.length / dim,
        tokens: system.side ** 2,
        steps: system.T,
        truncation,
        noise: { seed: 0, samples: Array.from({ length: rows.length / dim }, () => 0) },
      };
      return reverseChain(
        await pool.denoiser(rows, file.number('guidance_scale')),
        options,
        referenceDraw(uniform, options.tokens),
      );
    };
    const all = Float32Array.from(condition.data);

    const uniforms = file.floats('single.uniform');
    const perStep = uniforms.length / system.T;
    compare(
      'end_to_end',
      'single.tokens',
      await draw(all, (step) => uniforms.subarray(step * perStep, (step + 1) * perStep)),
      file.ints('single.tokens'),
      EXACT,
    );

    // Three pictures a text, text by text.
    const [, replicate] = file.tensor('best_of_3.tokens').shape as readonly [number, number];
    const best = file.floats('best_of_3.uniform');
    const perBest = best.length / (texts * system.T);
    const drawn: number[] = [];
    for (let text = 0; text < texts; text++) {
      const rows = Float32Array.from({ length: replicate * dim }, (_, i) => all[text * dim + (i % dim)]!);
      drawn.push(
        ...(await draw(rows, (step) =>
          best.subarray((text * system.T + step) * perBest, (text * system.T + step + 1) * perBest),
        )),
      );
    }
    compare('end_to_end', 'best_of_3.tokens', drawn, file.ints('best_of_3.tokens'), EXACT);
  });

  it('paints the same pictures with the imported tokenizer', async () => {
    const codec = await compileCodec(
      engine,
      run.readModel('tokenizer').tensors,
      run.settings.recipe,
      2,
      'the imported model',
    );
    for (const name of ['single', 'best_of_3']) {
      const { data } = int32(file.ints(`${name}.tokens`), [file.ints(`${name}.tokens`).length]);
      const planes = await codec.decode(data);
      const painted = planes.map((value) => ((Math.min(1, Math.max(-1, value)) + 1) / 2) * 255);
      compare('end_to_end', `${name}.images`, painted, file.floats(`${name}.images`), NETWORK);
    }
  });
});

function at(value: Value | undefined, key: string): Value | undefined {
  return value instanceof Map ? value.get(key) : undefined;
}

/** Names (without the leading `transformer.` of a whole model), shapes and bits of the chosen tensors, by name. */
function bits(value: Value | undefined, pattern: RegExp): [string, readonly number[], string][] {
  const tensors = value instanceof Map ? [...value] : [];
  const chosen = tensors.flatMap(([key, tensor]): [string, readonly number[], string][] => {
    if (typeof key !== 'string' || !(tensor instanceof TorchTensor) || !pattern.test(key)) return [];
    const { buffer } = tensor.elements();
    const name = pattern.source === '^transformer\\.' ? key.replace(pattern, '') : key;
    return [[name, tensor.shape, Buffer.from(buffer).toString('hex')]];
  });
  return chosen.sort(([a], [b]) => (a < b ? -1 : 1));
}
