/**
 * What stages take in memory, beside what `train --memory` expects of them: the table of docs/performance.md. Each row
 * is a process of its own that trains a stage for a few steps on noise, one thread, with two checkpoints and the
 * export. Linux only; run after a build.
 *
 *   node bench/memory/measure.mjs [rows whose name holds this]
 */

import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { clipStage, wordsOf } from '../../dist/clip/stage.js';
import { latentsOf } from '../../dist/diffusion/latents.js';
import { diffusionStage } from '../../dist/diffusion/stage.js';
import { totalBytes } from '../../dist/engine/memory/footprint.js';
import { peakResidentBytes } from '../../dist/engine/memory/resident.js';
import { uniforms } from '../../dist/random/noise.js';
import { makeRecipe } from '../../dist/recipe/recipe.js';
import { gridSize } from '../../dist/recipe/schema.js';
import { RunDirectory } from '../../dist/run/directory.js';
import { currentBaseline, planFor } from '../../dist/training/memory.js';
import { runStage } from '../../dist/training/run-stage.js';
import { stages } from '../../dist/training/stages.js';
import { tokenizerStage } from '../../dist/vqgan/stage.js';

const [PICTURES, CONDITION_DIM, SEED] = [2048, 512, 0];
const ALONE = { 'tokenizer.discriminatorWeight': '0', 'tokenizer.perceptualWeight': '0' };
const DISCRIMINATED = {
  'tokenizer.discriminatorWeight': '0.8',
  'tokenizer.discriminatorStart': '0.5',
  'tokenizer.perceptualWeight': '0',
};
const network = (layers, dim, changes) => ({
  'diffusion.layers': `${layers}`,
  'diffusion.dim': `${dim}`,
  'diffusion.heads': `${dim / 32}`,
  'diffusion.fold': '1',
  ...changes,
});
const CONVOLUTIONS = network(6, 256, { 'diffusion.mlp': 'conv', 'tokenizer.codes': '512' });
const DEEP = network(12, 384);
const IN_PLACE = { ...DEEP, 'diffusion.updateInPlace': 'true' };

const row = (stage, preset, batch, microBatches, changes = {}, note = '') => ({
  stage,
  preset,
  batch,
  microBatches,
  changes,
  note,
});
const rows = [
  row('clip', 'nano', 128, 1),
  row('clip', 'nano', 128, 16),
  row('tokenizer', 'nano', 4, 1, ALONE),
  row('tokenizer', 'nano', 64, 1, ALONE),
  row('tokenizer', 'nano', 64, 4, ALONE),
  row('tokenizer', 'nano', 64, 16, ALONE),
  row('tokenizer', 'base', 16, 1, ALONE),
  row('tokenizer', 'base', 16, 8, ALONE),
  row('tokenizer', 'base', 8, 1, DISCRIMINATED, 'with discriminator'),
  row('tokenizer', 'base', 8, 4, DISCRIMINATED, 'with discriminator'),
  row('diffusion', 'nano', 32, 1),
  row('diffusion', 'nano', 32, 8),
  row('diffusion', 'nano', 32, 1, CONVOLUTIONS, '6 x 256, conv'),
  row('diffusion', 'nano', 32, 8, CONVOLUTIONS, '6 x 256, conv'),
  row('diffusion', 'nano', 32, 32, CONVOLUTIONS, '6 x 256, conv'),
  row('diffusion', 'base', 8, 1, DEEP, '12 x 384'),
  row('diffusion', 'base', 8, 4, DEEP, '12 x 384'),
  row('diffusion', 'base', 16, 4, IN_PLACE, '12 x 384, in place'),
  row('diffusion', 'ffhq-256', 1, 1),
];
const nameOf = ({ stage, preset, note, batch, microBatches }) =>
  `${stage}, ${preset}${note && `, ${note}`} | ${batch}, ${microBatches}`;

/** `from` with a function needs a list of all values first, which would be counted. */
function filled(array, values, value) {
  for (let i = 0; i < array.length; i++) array[i] = value(values[i]);
  return array;
}
const noise = (count, step) => uniforms({ seed: SEED, stream: 'memory', step }, 0, count);
const bytes = (count, step) => filled(new Uint8Array(count), noise(count, step), (u) => 256 * u);

/** A stage as it is planned, and how it is made. */
function stageOf(name, recipe, folder) {
  const common = { seed: SEED, recipe, fingerprint: 'noise', onExport: () => {} };
  if (name === 'clip') {
    const { imageSize: side, batch } = recipe.clip;
    const pairs = {
      size: 2 * batch,
      side,
      images: bytes(2 * batch * side * side * 3, 0),
      caption: (index, wording) => `a picture of thing ${index} in words of kind ${wording}`,
    };
    const words = wordsOf(pairs, recipe.clip);
    const make = (engine, microBatches) =>
      clipStage({
        ...common,
        settings: recipe.clip,
        engine,
        microBatches,
        pairs,
        words,
        folder: path.join(folder, 'clip'),
      });
    return { planned: stages.clip.plan(recipe, CONDITION_DIM), make };
  }
  if (name === 'tokenizer') {
    const count = recipe.imageSize ** 2 * 3;
    const read = async (picks) => bytes(picks.length * count, picks[0].row);
    const pictures = { size: PICTURES, read };
    const make = (engine, microBatches) => tokenizerStage({ ...common, engine, microBatches, pictures });
    return { planned: stages.tokenizer.plan(recipe, CONDITION_DIM), make };
  }
  const tokens = gridSize(recipe) ** 2;
  const [count, spread] = [PICTURES * CONDITION_DIM, Math.sqrt(3 / CONDITION_DIM)];
  const codes = filled(
    new Int32Array(PICTURES * tokens),
    noise(PICTURES * tokens, 0),
    (u) => recipe.tokenizer.codes * u,
  );
  const embeddings = filled(new Float32Array(count), noise(count, 1), (u) => (2 * u - 1) * spread);
  const latents = latentsOf(codes, tokens, embeddings, CONDITION_DIM);
  const make = (engine, microBatches) =>
    diffusionStage({ ...common, name: 'diffusion', engine, microBatches, latents });
  return { planned: stages.diffusion.plan(recipe, CONDITION_DIM), make };
}

/** One row, in this process. */
async function measure({ stage, preset, batch, microBatches, changes }) {
  // Enough for every phase of a tokenizer.
  const steps = { clip: 4, tokenizer: 20, diffusion: 4 }[stage];
  const settings = { [`${stage}.batch`]: `${batch}`, [`${stage}.steps`]: `${steps}`, ...changes };
  const recipe = makeRecipe(preset, settings);
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'clipvq-memory-'));
  try {
    const run = RunDirectory.create(path.join(folder, 'run'), { seed: SEED, data: 'noise', clip: 'compact', recipe });
    const { planned, make } = stageOf(stage, recipe, run.path);
    const before = currentBaseline();
    const plan = planFor(planned, microBatches, before);
    // The kernel forgets what the process has held.
    fs.writeFileSync('/proc/self/clear_refs', '5');
    const display = { step: () => {}, count: () => () => {}, note: () => {} };
    const engineOptions = { threads: 1 };
    const { signal } = new AbortController();
    await runStage(
      { run, engineOptions, signal, resume: false, checkpointEvery: steps / 2, microBatches, display },
      planned,
      make,
    );
    const { state, activations } = plan.footprint;
    return {
      state,
      activations,
      estimate: totalBytes(plan.footprint),
      planned: plan.bytes - before.bytes,
      measured: peakResidentBytes() - before.bytes,
    };
  } finally {
    fs.rmSync(folder, { recursive: true });
  }
}

const [, , first, given] = process.argv;
if (first === '--row') console.log(JSON.stringify(await measure(rows[Number(given)])));
else {
  console.log(
    '| stage | batch, micro-batches | state | activations | estimate | planned | measured |\n|---|---|---|---|---|---|---|',
  );
  for (const [index, asked] of rows.entries()) {
    if (first !== undefined && !nameOf(asked).includes(first)) continue;
    const { status, stdout, stderr } = spawnSync(
      process.execPath,
      [fileURLToPath(import.meta.url), '--row', `${index}`],
      {
        encoding: 'utf8',
      },
    );
    if (status !== 0) throw new Error(`${nameOf(asked)}: ${stderr}`);
    const megabytes = Object.values(JSON.parse(stdout)).map((size) => Math.round(size / 1e6));
    console.log(`| ${nameOf(asked)} | ${megabytes.join(' | ')} |`);
  }
}
