/**
 * What `convert --to torch` writes, loaded by PyTorch into the reference's architecture with every key matched, and
 * computed with there.
 */
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { float32, int32, type NDArray } from '../../src/base/ndarray.ts';
import { exportDiffusion, exportTokenizer } from '../../src/convert/export.ts';
import { scheduleOf, transformerConfig } from '../../src/diffusion/model.ts';
import { denoise, diffusionParameters } from '../../src/diffusion/transformer.ts';
import * as g from '../../src/graph/index.ts';
import { toEngineLayout } from '../../src/nn/kernel-layout.ts';
import { initialize } from '../../src/nn/parameters.ts';
import { parseRecipe } from '../../src/recipe/recipe.ts';
import type { Recipe } from '../../src/recipe/schema.ts';
import { RunDirectory } from '../../src/run/directory.ts';
import { decodeCodes, encodeCodes } from '../../src/vqgan/codec.ts';
import { tokenizerParameters } from '../../src/vqgan/model.ts';
import { startKeepingEngine } from '../support/keeping-engine.ts';
import { compare, EXACT, NETWORK } from '../support/parity.ts';
import { pythonWithTorch } from '../support/python.ts';
import { CONDITION, tinyRecipe } from '../support/tiny-model.ts';

const python = pythonWithTorch('what PyTorch makes of exported checkpoints');
const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'clipvq-torch-'));
const engine = startKeepingEngine();
afterAll(async () => {
  await engine.close();
  fs.rmSync(folder, { recursive: true });
});

const waves = (shape: readonly number[], pace: number) =>
  float32(
    Float32Array.from({ length: shape.reduce((a, b) => a * b, 1) }, (_, i) => Math.sin(pace * i)),
    shape,
  );

const feeds = {
  x: waves([2, 3, 16, 16], 0.7),
  tokens: int32(
    Array.from({ length: 2 * 64 }, (_, i) => (7 * i) % 11),
    [2, 64],
  ),
  t: int32([0, 6], [2]),
  condition: waves([2, CONDITION], 1.3),
};

describe.skipIf(python === undefined).each(['conv', 'fc'] as const)('with the %s MLP', (mlp) => {
  const recipe = parseRecipe({ ...tinyRecipe, diffusion: { ...tinyRecipe.diffusion, mlp } }, 'test');
  const { tokenizer, diffusion } = recipe;
  const [codec, model] = [
    initialize(tokenizerParameters(tokenizer, recipe.imageSize), 5),
    initialize(diffusionParameters(transformerConfig(recipe, CONDITION)), 6),
  ];
  const run = RunDirectory.create(path.join(folder, mlp), { seed: 0, data: 'none', clip: 'owner/clip', recipe });
  run.saveModel('tokenizer', codec, {});
  run.saveModel('diffusion', model, {});
  const [tokenizerFile, diffusionFile] = [run.file('tokenizer.ckpt'), run.file('diffusion.pt')];

  it('loads strictly, and computes the same codes, pictures and logits', async () => {
    exportTokenizer(run, tokenizerFile);
    exportDiffusion(run, diffusionFile);
    const theirs = inPython({ ...sizesOf(recipe), tokenizerFile, diffusionFile, ...listed(feeds) });

    const { normGroups } = tokenizer;
    await engine.load({ codec: toEngineLayout(codec), model });
    const program = g.trace(
      { state: { codec: toEngineLayout(codec), model }, feeds },
      ({ state, feeds: { x, tokens, t, condition } }) => {
        const codes = encodeCodes(state.codec, x, { normGroups, normalizeLatents: false });
        return {
          codes,
          decoded: decodeCodes(state.codec, codes, normGroups),
          logits: denoise(state.model.transformer, tokens, t, condition, diffusion.heads),
        };
      },
    );
    const ours = await (await engine.compile(program)).run({ feeds });
    compare('torch', 'codes', ours.codes!.data, theirs.codes!, EXACT);
    expect(new Set(theirs.codes).size).toBeGreaterThan(1);
    compare('torch', 'decoded', ours.decoded!.data, theirs.decoded!, NETWORK);
    compare('torch', 'logits', ours.logits!.data, theirs.logits!, NETWORK);
    compare('torch', 'log_at', scheduleOf(recipe).alpha.map(Math.log), theirs.log_at!, { relative: 1e-6 });
    compare('torch', 'empty_text_embed', model.empty_text_embed.data, theirs.empty_text_embed!, EXACT);
  });
});

function sizesOf({ imageSize, tokenizer, diffusion }: Recipe) {
  return {
    tokenizer: {
      size: imageSize,
      channels: tokenizer.channels,
      multipliers: tokenizer.channelMultipliers,
      blocks: tokenizer.residualBlocks,
      attention: tokenizer.attentionResolutions,
      latents: tokenizer.latentChannels,
      codes: tokenizer.codes,
    },
    diffusion: {
      codes: tokenizer.codes,
      grid: Math.sqrt(feeds.tokens.shape[1]!),
      dim: diffusion.dim,
      hidden: diffusion.dim * diffusion.mlpRatio,
      heads: diffusion.heads,
      layers: diffusion.layers,
      mlp: diffusion.mlp,
      timesteps: diffusion.timesteps,
      condition: CONDITION,
    },
  };
}

const listed = (arrays: Readonly<Record<string, NDArray>>) =>
  Object.fromEntries(Object.entries(arrays).map(([name, { shape, data }]) => [name, { shape, data: [...data] }]));

function inPython(task: unknown): Readonly<Record<string, number[]>> {
  const script = path.resolve('test/reference/modules.py');
  const { status, stdout, stderr } = spawnSync(python!, [script], { encoding: 'utf8', input: JSON.stringify(task) });
  expect(status, stderr).toBe(0);
  return JSON.parse(stdout) as Record<string, number[]>;
}
