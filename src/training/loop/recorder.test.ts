/** What training keeps of its pace and state: entries, hashes that two equal runs share, and events. */

import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { startKeepingEngine } from '../../../test/support/keeping-engine.ts';
import { TINY_STEPS, tinyStage, tinyStages } from '../../../test/support/tiny-stages.ts';
import { RunDirectory } from '../../run/directory.ts';
import { EVENTS_FOLDER } from '../../run/tensorboard.ts';
import { trainStage } from './trainer.ts';

const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'recorder-'));
afterAll(() => fs.rmSync(folder, { recursive: true, force: true }));

interface Entry {
  readonly stage: string;
  readonly step: number;
  readonly learningRate: number;
  readonly rate: number;
  readonly time: string;
  readonly loss: number;
  readonly weights?: string;
  readonly gradients?: string;
}

const recorded = (run: RunDirectory): Entry[] =>
  fs
    .readFileSync(run.file('metrics.jsonl'), 'utf8')
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Entry);

async function trained(name: string, options: { stopAfter?: number; resume?: boolean; rate?: string } = {}) {
  const { stopAfter, resume = false } = options;
  const place = path.join(folder, name);
  const settings = { seed: 7, data: 'faces', clip: 'compact', recipe: tinyStages };
  const run = resume ? RunDirectory.open(place) : RunDirectory.create(place, settings);
  const engine = startKeepingEngine();
  const stop = new AbortController();
  const recipe = {
    ...tinyStages,
    diffusion: { ...tinyStages.diffusion, learningRate: Number(options.rate ?? tinyStages.diffusion.learningRate) },
  };
  try {
    await trainStage(tinyStage('diffusion', engine, run, recipe), {
      run,
      engine,
      resume,
      checkpointEvery: 100,
      hashEvery: 4,
      signal: stop.signal,
      onProgress: ({ step }) => step === stopAfter && stop.abort(),
    }).catch((error: unknown) => {
      if (stopAfter === undefined) throw error;
    });
  } finally {
    await engine.close();
  }
  return run;
}

const hashes = (entries: readonly Entry[]) =>
  entries
    .filter(({ weights }) => weights !== undefined)
    .map(({ step, weights, gradients }) => [step, weights, gradients]);

it('two logs show that a run is the same: whole, and stopped and resumed; another learning rate is another run', async () => {
  const whole = recorded(await trained('whole'));
  expect(whole.map(({ step }) => step)).toEqual([1, 4, 8, 10, TINY_STEPS]);
  expect(hashes(whole).map(([step]) => step)).toEqual([4, 8, TINY_STEPS]);
  for (const { rate, time, learningRate } of whole)
    expect([rate > 0, Number.isNaN(Date.parse(time)), learningRate > 0]).toEqual([true, false, true]);
  expect(whole[0]!.learningRate).toBeCloseTo(tinyStages.diffusion.learningRate / 2, 12);

  await trained('stopped', { stopAfter: 6 });
  const resumed = await trained('stopped', { resume: true });
  expect(hashes(recorded(resumed))).toEqual(hashes(whole));
  expect(fs.readdirSync(resumed.file(EVENTS_FOLDER, 'diffusion')).length).toBeGreaterThan(0);

  const other = hashes(recorded(await trained('other', { rate: '0.001' })));
  expect(other.map(([, weights]) => weights)).not.toContain(hashes(whole)[0]![1]);
  expect(other.map(([, , gradients]) => gradients)).not.toContain(hashes(whole)[0]![2]);
});
