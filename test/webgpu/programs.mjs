/**
 * The programs of the product on two devices: training steps of the diffusion model and of the tokenizer, and a chain
 * of reverse steps; what both devices computed, and what crossed between host and device.
 */

import { flatten } from '../../dist/base/tree.js';
import { drawWeights, jobFeeds, jobParameters, jobSchedule } from '../../dist/bench/peer/jobs.js';
import { moreRows } from '../../dist/bench/peer/rows.js';
import { prepareWork } from '../../dist/bench/peer/work.js';
import { DenoiserPool } from '../../dist/diffusion/model.js';
import { reverseProbabilities, reverseStep } from '../../dist/diffusion/process/reverse.js';
import { ancestral, exactDraw } from '../../dist/diffusion/samplers/ancestral.js';
import { exactPlan } from '../../dist/diffusion/samplers/chain.js';
import { Engine } from '../../dist/engine/engine.js';
import { uniforms } from '../../dist/random/noise.js';

/**
 * What 50 steps show, 2 show: the second loses what the first has made of the weights, and moves nothing but its batch
 * (docs/performance.md has the numbers of 50).
 */
const STEPS = 2;
const CHAIN = 3;
/** All that is computed here has batches of 4: other kernels multiply the matrices of others. */
const jobOf = (name) => ({ ...moreRows.find((row) => row.name === name).job, batch: 4 });
const locations = async (engine) => Object.values(await engine.describe('')).map(({ location }) => location);

/**
 * Losses of a step of the diffusion model that is repeated, what a step moves once the first is done, and where the
 * state lies then. Learns faster than the job says.
 */
async function diffusion(engine) {
  const job = jobOf('train-tiny');
  const step = await prepareWork({ ...job, optimizer: { ...job.optimizer, lr: 2e-3, emaDecay: 0.9 } }, engine);
  const losses = [];
  for (let i = 0; i < STEPS; i++) {
    losses.push(...(await step.run()));
    if (i === 0) await engine.transfers();
  }
  const transfers = await engine.transfers();
  const learned = { losses, transfers, locations: await locations(engine) };
  const ema = await engine.read('ema.transformer.to_logits.1.bias');
  await engine.drop('');
  return { ...learned, ema: [...ema.data] };
}

/**
 * One step of a tokenizer of two resolutions whose state lies on the device already: its loss, and every gradient, of
 * which Adam's first mean holds a tenth then. Further steps are trained by the command line (`webgpu.test.ts`).
 */
async function tokenizer(engine) {
  const step = await prepareWork(jobOf('tokenizer-tiny'), engine);
  await engine.upload('');
  await engine.transfers();
  const losses = await step.run();
  const learned = { losses, transfers: await engine.transfers(), locations: await locations(engine) };
  const means = flatten(await engine.read('adam.mean'));
  await engine.drop('');
  return {
    ...learned,
    gradients: Object.fromEntries(Object.entries(means).map(([name, { data }]) => [name, [...data]])),
  };
}

/** A chain on the CPU, and what the device draws in each of its steps from the tokens and uniforms that the CPU had. */
async function sampling([cpu, gpu]) {
  const job = jobOf('reverse-tiny');
  const { batch, guidanceScale, transformer } = job;
  const tokens = transformer.grid ** 2;
  const schedule = jobSchedule(job);
  const condition = Float32Array.from(jobFeeds(job).condition.data);
  const denoisers = [];
  for (const engine of [cpu, gpu]) {
    const pool = await DenoiserPool.create(engine, transformer, drawWeights(jobParameters(job).model));
    denoisers.push(await pool.denoiser(condition, guidanceScale));
  }
  const noise = { seed: 7, samples: Array.from({ length: batch }, (_, i) => i) };
  const visited = [];
  const recorded = async (x, t) => {
    const logProbs = await denoisers[0](x, t);
    visited.push({ x: x.slice(), logProbs: logProbs.slice() });
    return logProbs;
  };
  await ancestral(recorded, { schedule, batch, tokens, steps: CHAIN, truncation: undefined, noise });

  const differing = [];
  let [drawn, farthest] = [0, 0];
  for (const [index, { from, to }] of exactPlan(schedule.steps, CHAIN).entries()) {
    const { x, logProbs } = visited[index];
    const other = await denoisers[1](x, from);
    if (index === 0) await gpu.transfers();
    farthest = Math.max(farthest, ...logProbs.map((value, i) => Math.abs(value - other[i])));
    const step = reverseStep(schedule, to, from);
    const draw = (logs) =>
      exactDraw(noise)({ index, steps: CHAIN, step, tokens: x, predict: (i) => probabilities(logs, i, step.codes) });
    const [mine, theirs] = [draw(logProbs), draw(other)];
    mine.forEach((token, i) => {
      drawn++;
      if (token === theirs[i]) return;
      const [picture, place] = [Math.floor(i / tokens), i % tokens];
      const uniform = uniforms({ seed: noise.seed, stream: 'sample', step: index }, picture, tokens)[place];
      const p = reverseProbabilities(step, x[i], probabilities(logProbs, i, step.codes));
      differing.push({ index, place: i, edge: edgeDistance(p, uniform) });
    });
  }
  return { drawn, differing, farthest, transfers: await gpu.transfers() };
}

const probabilities = (logs, i, codes) => Float64Array.from(logs.slice(i * codes, (i + 1) * codes), Math.exp);

/**
 * How far a uniform lies from the next edge of the cumulative distribution that `drawReverse` walks: the mask first,
 * then the codes.
 */
function edgeDistance(p, uniform) {
  let [reached, nearest] = [0, 1];
  for (const value of [p.at(-1), ...p.slice(0, -1)]) {
    reached += value;
    nearest = Math.min(nearest, Math.abs(reached - uniform));
  }
  return nearest;
}

export async function programs() {
  const engines = ['cpu', 'webgpu'].map((device) => Engine.start({ device, threads: 1 }));
  const both = async (work) => ({ cpu: await work(engines[0]), webgpu: await work(engines[1]) });
  const result = {
    diffusion: await both(diffusion),
    tokenizer: await both(tokenizer),
    sampling: await sampling(engines),
  };
  for (const engine of engines) await engine.close();
  return { ...result, steps: STEPS, chain: CHAIN };
}
