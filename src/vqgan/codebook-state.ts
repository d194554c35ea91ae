/**
 * What happens to the codebook between steps: it is initialised at the first step with codes, and unused codes are
 * revived.
 */

import { float32, joined, type NDArray, type Tree } from '../base/ndarray.ts';
import { flatten, type Mapped, unflatten } from '../base/tree.ts';
import type { Engine } from '../engine/engine.ts';
import type { Spec } from '../graph/index.ts';
import type { Ranks } from '../mpi/ranks.ts';
import { split } from '../optim/micro-batches.ts';
import { gridSize, type TokenizerRecipe } from '../recipe/schema.ts';
import { gatherResults } from '../stage/data-parallel.ts';
import { codebookFrom } from './codebook.ts';
import type { TokenizerFeeds } from './feeds.ts';
import { tokenizerParameters } from './model.ts';
import { type Assignment, deadCodes, forgetMoments, revive } from './revival.ts';
import type { TokenizerPrograms } from './stage-programs.ts';
import { ASSIGNMENT, LATENTS } from './step.ts';

/** What a running stage works with. */
export interface Training {
  readonly engine: Engine;
  readonly recipe: TokenizerRecipe;
  readonly seed: number;
  readonly feeds: TokenizerFeeds;
  readonly programs: TokenizerPrograms;
  readonly ranks: Ranks;
}

/** Latents that the first codebook is clustered from, for each of its codes. */
const LATENTS_PER_CODE = 32;

/**
 * The codebook, and the logits that go with it, from the latents the autoencoder now has: a pure function of the state.
 */
export async function seedCodebook({ engine, recipe, seed, feeds, programs, ranks }: Training): Promise<void> {
  const { batch, codes, codeDim } = recipe.tokenizer;
  const tokens = gridSize(recipe) ** 2;
  const steps = Math.ceil(Math.min(LATENTS_PER_CODE * codes, feeds.size * tokens) / (batch * tokens));
  const latents: Float32Array[] = [];
  for (let step = 0; step < steps; step++) {
    const own: Record<string, NDArray>[] = [];
    for (const x of split({ x: await feeds.picturesOf(step) }, programs.microBatches / ranks.size))
      own.push(await programs.get(LATENTS).run(x));
    for (const { rows } of await gatherResults(ranks, own)) latents.push(rows!.data as Float32Array);
  }
  const key = { seed, stream: 'tokenizer/codebook', step: 0 };
  await engine.load({ params: { quantize: await codebookFrom(joined(latents), codeDim, codes, key) } });
}

/** Seed the codes that are dead by the latents of this step's pictures: a pure function of the state and the step. */
export async function reviveCodes(training: Training, step: number): Promise<void> {
  const { engine, recipe, seed } = training;
  const { codes, reviveAfter } = recipe.tokenizer;
  const idle = (await read(engine, { idle: { dtype: 'float32', shape: [codes] } })).idle.data;
  const dead = deadCodes(idle, reviveAfter);
  if (dead.length === 0) return;
  const assignment = await assignmentOf(training, step);
  const { quantize } = tokenizerParameters(recipe.tokenizer, recipe.imageSize);
  const state = await read(engine, { params: { quantize }, adam: { mean: { quantize }, square: { quantize } } });
  const key = { seed, stream: 'tokenizer/revival', step };
  const { revived, quantize: next } = revive(state.params.quantize, dead, assignment, key);
  const reborn = revived.map(({ code }) => code);
  await engine.load({
    params: { quantize: next },
    adam: {
      mean: { quantize: forgetMoments(state.adam.mean.quantize, reborn) },
      square: { quantize: forgetMoments(state.adam.square.quantize, reborn) },
    },
    idle: float32(
      Float32Array.from(idle, (count, code) => (reborn.includes(code) ? 0 : count)),
      [codes],
    ),
  });
}

/** The latents of a step's pictures, and what they choose. */
async function assignmentOf({ feeds, programs, ranks }: Training, step: number): Promise<Assignment> {
  const own: Record<string, NDArray>[] = [];
  for (const x of split({ x: await feeds.picturesOf(step) }, programs.microBatches / ranks.size))
    own.push(await programs.get(ASSIGNMENT).run(x));
  const chosen = await gatherResults(ranks, own);
  return {
    rows: joined(chosen.map(({ rows }) => rows!.data as Float32Array)),
    index: Int32Array.from(chosen.flatMap(({ index }) => [...(index!.data as Int32Array)])),
  };
}

/** A part of the engine's state. */
async function read<P extends { readonly [key: string]: Tree<Spec> }>(
  engine: Engine,
  wanted: P,
): Promise<Mapped<P, NDArray>>;
async function read(engine: Engine, wanted: { readonly [key: string]: Tree<Spec> }): Promise<Tree<NDArray>> {
  const part: Record<string, NDArray> = {};
  for (const path of Object.keys(flatten(wanted))) part[path] = (await engine.read(path)) as NDArray;
  return unflatten(part);
}
