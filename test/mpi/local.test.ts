/** Local steps: what ranks do for themselves, what becomes of it when they meet, and what a checkpoint keeps of it. */

import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterAll, expect, it, vi } from 'vitest';
import type { NDArray } from '../../src/base/ndarray.ts';
import { flatten } from '../../src/base/tree.ts';
import { diffusionStage } from '../../src/diffusion/stage.ts';
import type { Engine } from '../../src/engine/engine.ts';
import type { Ranks } from '../../src/mpi/ranks.ts';
import { RunDirectory } from '../../src/run/directory.ts';
import type { LocalSteps } from '../../src/stage/local-steps.ts';
import type { Stage } from '../../src/stage/stage.ts';
import { trainStage } from '../../src/training/loop/trainer.ts';
import { startKeepingEngine } from '../support/keeping-engine.ts';
import { localRanks } from '../support/local-ranks.ts';
import { randomLatents, tinyDiffusionRecipe } from '../support/tiny-latents.ts';

const engines = [0, 1].map(() => startKeepingEngine());
const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'clipvq-local-'));
afterAll(async () => {
  await Promise.all(engines.map((engine) => engine.close()));
  fs.rmSync(folder, { recursive: true });
});

const STEPS = 14;
const recipe = tinyDiffusionRecipe({ 'diffusion.steps': `${STEPS}` });
const latents = randomLatents(recipe);

const stageOn = (engine: Engine, ranks?: Ranks, sync?: LocalSteps): Stage =>
  diffusionStage({
    ...{ engine, ranks, sync, microBatches: sync ? 1 : ranks?.size },
    ...{ name: 'diffusion', recipe, seed: 7, latents, fingerprint: '', onExport() {} },
  });

/** A stage of each rank, ready for its first step. */
async function prepared(count: number, sync?: LocalSteps): Promise<readonly Stage[]> {
  const made = localRanks(count).map((ranks) => stageOn(engines[ranks.rank]!, ranks, sync));
  for (const [rank, stage] of made.entries()) {
    await engines[rank]!.drop('');
    await stage.prepare();
  }
  return made;
}

const weightsOf = async (rank: number, part = 'params') =>
  structuredClone(flatten<NDArray>(await engines[rank]!.read(part)));

/** The largest difference of an array from what is expected of it. */
const farthest = ({ data }: NDArray, expected: (i: number) => number): number =>
  Array.from(data, (value, i) => Math.abs(value - expected(i))).reduce((most, one) => Math.max(most, one), 0);

it('one rank that takes over what it has moved by is the ordinary training', async () => {
  const learned = async (sync?: LocalSteps) => {
    const [stage] = await prepared(1, sync);
    const losses: number[] = [];
    for (let step = 0; step < 6; step++) {
      losses.push((await stage!.run(step)).loss);
      if (sync) await stage!.meet!();
    }
    return { losses, weights: await weightsOf(0) };
  };
  const [ordinary, local] = [await learned(), await learned({ steps: 1, rate: 1, momentum: 0 })];
  for (const [step, loss] of ordinary.losses.entries()) expect(local.losses[step]! / loss).toBeCloseTo(1, 5);
  // Adding to all keys changes no attention: the gradient of that bias is nothing but rounding, which Adam enlarges.
  for (const [name, { data }] of Object.entries(ordinary.weights))
    if (!name.endsWith('key.bias'))
      expect(
        farthest(local.weights[name]!, (i) => data[i]!),
        name,
      ).toBeLessThan(1e-5);
});

it('two ranks learn from the samples of one batch, and meet at the outer step of what they have moved by', async () => {
  const [alone] = await prepared(1);
  const whole = (await alone!.run(0)).loss;
  const { rate, momentum } = { rate: 0.7, momentum: 0.9 };
  const stages = await prepared(2, { steps: 2, rate, momentum });
  let start = await weightsOf(0);
  const kept: Record<string, Float64Array> = {};
  for (let round = 0; round < 2; round++) {
    for (const step of [2 * round, 2 * round + 1]) {
      const losses = await Promise.all(stages.map(async (stage) => (await stage.run(step)).loss));
      // The first step of both is that of the whole batch, each on its half.
      if (step === 0) expect((losses[0]! + losses[1]!) / 2 / whole).toBeCloseTo(1, 5);
    }
    const moved = await Promise.all([weightsOf(0), weightsOf(1)]);
    const means = await Promise.all([weightsOf(0, 'adam.square'), weightsOf(1, 'adam.square')]);
    expect(moved[0]).not.toEqual(moved[1]);
    await Promise.all(stages.map((stage) => stage.meet!()));
    const met = await weightsOf(0);
    for (const part of ['params', 'adam', 'ema']) expect(await weightsOf(0, part)).toEqual(await weightsOf(1, part));
    const squares = await weightsOf(0, 'adam.square');
    for (const [name, { data }] of Object.entries(met)) {
      const before = kept[name] ?? new Float64Array(data.length);
      const expected = start[name]!.data.map((from, i) => {
        const d = from - (moved[0]![name]!.data[i]! + moved[1]![name]!.data[i]!) / 2;
        before[i] = momentum * before[i]! + d;
        return from - rate * (d + momentum * before[i]!);
      });
      kept[name] = before;
      expect(
        farthest(met[name]!, (i) => expected[i]!),
        name,
      ).toBeLessThan(1e-6);
      const mean = (i: number) => (means[0]![name]!.data[i]! + means[1]![name]!.data[i]!) / 2;
      expect(farthest(squares[name]!, mean), name).toBeLessThanOrEqual(1e-6 * Math.max(...squares[name]!.data));
    }
    start = met;
  }
  // Losses of all samples enter the history by which times are drawn, on both ranks.
  const [history, other] = stages.map((stage) => stage.hostState()['times.count']!.data);
  expect(history).toEqual(other);
  expect([...history!].reduce((a, b) => a + b, 0)).toBe(4 * 4);
});

/** Train over ranks into a run directory, up to `maxSteps` where given. */
async function train(name: string, count: number, sync: LocalSteps, maxSteps?: number): Promise<void> {
  const place = path.join(folder, name);
  const isNew = !fs.existsSync(place);
  if (isNew) RunDirectory.create(place, { seed: 7, data: 'pictures', clip: 'compact', recipe });
  await Promise.all(
    localRanks(count).map((ranks) =>
      trainStage(stageOn(engines[ranks.rank]!, ranks, sync), {
        ...{ engine: engines[ranks.rank]!, run: RunDirectory.open(place), ranks, sync, maxSteps },
        ...{ resume: !isNew, checkpointEvery: 5 },
      }),
    ),
  );
}

const losses = (name: string): number[] =>
  fs
    .readFileSync(path.join(folder, name, 'log.jsonl'), 'utf8')
    .trim()
    .split('\n')
    .map((line) => (JSON.parse(line) as { loss: number }).loss);

it('a run that stops where ranks meet goes on as if it had not, its momentum included; other ranks go on too', async () => {
  const sync = { steps: 4, rate: 0.7, momentum: 0.9 };
  const describe = vi.spyOn(engines[0]!, 'describe');
  await train('whole', 2, sync);
  // Of the ends of 3 rounds and of the stage 3 have a checkpoint (5, 10 and 14 steps); each is hashed once.
  expect(describe.mock.calls.filter(([part]) => part === 'adam.mean')).toHaveLength(3);
  describe.mockRestore();
  const whole = await weightsOf(0);
  expect(losses('whole')).toHaveLength(STEPS);

  await train('cut', 2, sync, 8);
  expect(losses('cut')).toHaveLength(8);
  await train('cut', 2, sync);
  expect(await weightsOf(0)).toEqual(whole);
  expect(losses('cut')).toEqual(losses('whole'));

  await train('other', 2, sync, 8);
  await train('other', 1, sync);
  expect(losses('other')).toHaveLength(STEPS);
  expect(losses('other').slice(0, 8)).toEqual(losses('whole').slice(0, 8));
  // The first step after a meeting starts from the same weights, on the same samples.
  expect(losses('other')[8]! / losses('whole')[8]!).toBeCloseTo(1, 5);
});
