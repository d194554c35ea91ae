/** The reference's own checkpoints: imported, exported again bit by bit, and sampled from as the reference does. */

import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { fixture, fixturePath, onFixture, onJsonFixture } from '../../test/support/fixtures.ts';
import { compare, EXACT, NETWORK, same } from '../../test/support/parity.ts';
import { checkpointFile, checkpointIndex } from '../../test/support/reference-checkpoints.ts';
import type { DdConfig, OfficialSystem } from '../../test/support/reference-system.ts';
import { skipped } from '../../test/support/skip.ts';
import { int32, type NDArray } from '../base/ndarray.ts';
import { leaves } from '../base/tree.ts';
import { readTorch } from '../checkpoint/torch/read.ts';
import { TorchTensor } from '../checkpoint/torch/tensors.ts';
import type { Value } from '../checkpoint/torch/values.ts';
import { DenoiserPool, scheduleOf, transformerConfig } from '../diffusion/model.ts';
import { reverseChain } from '../diffusion/samplers/chain.ts';
import { referenceDraw } from '../diffusion/samplers/reference.ts';
import { diffusionParameters } from '../diffusion/transformer.ts';
import { Engine } from '../engine/engine.ts';
import { adopt } from '../nn/parameters.ts';
import type { RunDirectory } from '../run/directory.ts';
import { makeDecoder } from '../vqgan/codec.ts';
import { referenceBuffers } from './buffers.ts';
import { exportDiffusion, exportTokenizer } from './export.ts';
import { type ImportOptions, importCheckpoints } from './import.ts';

const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'clipvq-convert-'));
afterAll(() => fs.rmSync(folder, { recursive: true }));

/** Imports files of the fixtures; the CLIP is only named, not loaded. */
function imported(
  names: readonly string[],
  system: OfficialSystem,
  options: Partial<ImportOptions> = {},
): RunDirectory {
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

onJsonFixture(
  'checkpoints/index',
  () => {
    const [tokenizer, solver, released, legacy] = [
      checkpointFile('tokenizer'),
      checkpointFile('solver'),
      checkpointFile('released'),
      checkpointFile('legacy'),
    ];
    for (const [role, name] of Object.entries({ tokenizer, solver, released, legacy }))
      skipped(name === undefined, `imports of the ${role} checkpoint`, 'the fixtures have none');
    const settings = fixture('end_to_end');
    const [system, ddconfig] = [settings.setting('system') as OfficialSystem, settings.setting('ddconfig') as DdConfig];

    const hasTokenizer = (name: string) =>
      Object.keys(checkpointIndex()[name]!.tensors).some((path) => path.endsWith('encoder.conv_in.weight'));
    const whole = [
      { name: 'solver', wanted: [solver] },
      { name: 'tokenizer and released', wanted: [tokenizer, released] },
      { name: 'tokenizer and legacy solver', wanted: [tokenizer, legacy] },
    ].flatMap(({ name, wanted }) => {
      const files = wanted.filter((file) => file !== undefined);
      return files.length === wanted.length && hasTokenizer(files[0]!) ? [{ name, files }] : [];
    });

    it.each(whole)('reads the architecture of $name', ({ name, files }) => {
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
      const published = fixture('schedule');
      const ends = [diffusion.alphaBarStart, diffusion.alphaBarEnd, diffusion.gammaBarStart, diffusion.gammaBarEnd];
      const expectedEnds = ['att_1', 'att_T', 'ctt_1', 'ctt_T'].map((name) => published.number(name));
      compare('checkpoints', `${name}: schedule`, ends, expectedEnds, { absolute: 1e-9 });
    });

    it('round trips bit by bit: released, EMA and last weights, tokenizer', () => {
      const cases: [
        string,
        (string | undefined)[],
        Partial<ImportOptions>,
        string,
        (value: Value) => Value | undefined,
        RegExp,
        string,
      ][] = [
        ['released', [released], {}, 'diffusion', (root) => root, /^/, ''],
        ['EMA', [solver], {}, 'diffusion', (root) => at(root, 'ema'), /^/, ''],
        ['legacy EMA', [legacy], {}, 'diffusion', (root) => at(root, 'ema'), /^/, ''],
        [
          'last weights',
          [solver],
          { weights: 'model' },
          'diffusion',
          (root) => at(root, 'model'),
          /^transformer\./,
          '',
        ],
        [
          'tokenizer',
          [tokenizer],
          { imageSize: system.res },
          'tokenizer',
          (root) => at(root, 'state_dict'),
          /^(?!loss\.)/,
          'state_dict',
        ],
      ];
      for (const [name, wanted, options, part, source, pattern, inside] of cases) {
        const files = wanted.filter((file) => file !== undefined);
        if (files.length === 0) continue;
        const original = bits(source(readTorch(fixturePath('checkpoints', files[0]!))), pattern);
        if (original.length === 0) {
          console.warn(`SKIPPED: the round trip of ${name}, because ${files[0]} has none`);
          continue;
        }
        const run = imported(files, system, options);
        const out = path.join(run.path, 'back.pth');
        if (part === 'diffusion') exportDiffusion(run, out);
        else exportTokenizer(run, out);
        const back = bits(inside === '' ? readTorch(out) : at(readTorch(out), inside), /^/);
        same('checkpoints', `${name}: round trip`, back, original);
      }
    });

    it.skipIf(solver === undefined)('computes the buffers the reference stores', () => {
      const run = imported([solver!], system);
      const model = at(readTorch(fixturePath('checkpoints', solver!)), 'model');
      for (const [name, { data }] of Object.entries(referenceBuffers(scheduleOf(run.settings.recipe)))) {
        if (name.startsWith('Lt_')) continue;
        const stored = (at(model, `transformer.${name}`) as TorchTensor).load().data;
        compare('checkpoints', name, data, stored, { relative: 1e-6, absolute: 1e-6 });
      }
    });
  },
  'end_to_end.safetensors',
  'schedule.safetensors',
);

onFixture(
  'end_to_end',
  (file) => {
    const system = file.setting('system') as OfficialSystem;
    const engine = Engine.start({ threads: 1 });
    const batches = file.matching(/^(single|best_of_\d+)\.tokens$/);
    let run: RunDirectory;
    let hasTokenizer = false;
    beforeAll(() => {
      const [, name, part] = /checkpoints\/(\S+)(?: *-> *(\w+))?/.exec(String(file.setting('weights')))!;
      run = imported([name!], system, { weights: part === 'ema' ? 'ema' : 'model' });
      hasTokenizer = run.hasModel('tokenizer');
    });
    afterAll(() => engine.close());

    it('draws the same codes from the imported model', async () => {
      const { recipe } = run.settings;
      const condition = file.tensor('text_embed');
      const [texts, dim] = condition.shape as readonly [number, number];
      const config = transformerConfig(recipe, dim);
      const params = adopt(diffusionParameters(config), run.readModel('diffusion').tensors, 'the imported model');
      const pool = await DenoiserPool.create(engine, config, leaves<NDArray>(params), recipe.sampling.nullEmbedding);
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

      for (const name of batches) {
        // Pictures of one prompt after those of another; `single` draws one a prompt, all at once.
        const [groups, each] = file.tensor(`${name}.tokens`).shape as readonly [number, number, number];
        const rows = name === 'single' ? [all] : Array.from({ length: texts }, (_, i) => repeated(all, i, each, dim));
        const uniforms = file.floats(`${name}.uniform`);
        const perStep = uniforms.length / (groups * system.T);
        const drawn: number[] = [];
        for (const [group, conditions] of rows.entries()) {
          const first = group * system.T;
          drawn.push(
            ...(await draw(conditions, (step) =>
              uniforms.subarray((first + step) * perStep, (first + step + 1) * perStep),
            )),
          );
        }
        compare(
          'end_to_end',
          `${name.replace(/\d+/, 'n')}, imported: tokens`,
          drawn,
          file.ints(`${name}.tokens`),
          EXACT,
        );
      }
    });

    it('paints the same pictures with the imported tokenizer', async ({ skip }) => {
      if (!hasTokenizer) {
        console.warn('SKIPPED: pictures of the imported model, because its checkpoint has no tokenizer');
        skip();
      }
      const decoder = makeDecoder(
        engine,
        run.readModel('tokenizer').tensors,
        run.settings.recipe,
        'the imported model',
      );
      for (const name of batches) {
        const { data } = int32(file.ints(`${name}.tokens`), [file.ints(`${name}.tokens`).length]);
        const planes = await decoder.decode(data);
        const painted = planes.map((value) => ((Math.min(1, Math.max(-1, value)) + 1) / 2) * 255);
        const quantity = `${name.replace(/\d+/, 'n')}, imported: images`;
        compare('end_to_end', quantity, painted, file.floats(`${name}.images`), NETWORK);
      }
    });
  },
  'checkpoints/index.json',
);

/** Row `i` of rows [·, dim], `times` times. */
const repeated = (rows: Float32Array, i: number, times: number, dim: number): Float32Array =>
  Float32Array.from({ length: times * dim }, (_, k) => rows[i * dim + (k % dim)]!);

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
