/**
 * The work that `clipvq bench device --nodes` profiles, on two devices: training steps of the diffusion model and of
 * the tokenizer, a chain of reverse steps, and encoding; what both devices computed, what crossed between host and
 * device, and which operators fell back to the CPU.
 */

import { flatten } from '../../dist/base/tree.js';
import { deviceFallbacks, profiledWork } from '../../dist/bench/devices.js';
import { jobSchedule } from '../../dist/bench/peer/jobs.js';
import { reverseProbabilities, reverseStep } from '../../dist/diffusion/process/reverse.js';
import { ancestral, exactDraw } from '../../dist/diffusion/samplers/ancestral.js';
import { exactPlan } from '../../dist/diffusion/samplers/chain.js';
import { Engine } from '../../dist/engine/engine.js';
import { uniforms } from '../../dist/random/noise.js';

/**
 * All that is computed here has batches of 4: other kernels multiply the matrices of others. Narrow, but all channels
 * are multiples of 4, as those of the presets are.
 */
const config = { layers: 1, dim: 16, heads: 2, grid: 4, codes: 64, batch: 4, rounds: 1, mlp: 'conv', inPlace: false };
const works = profiledWork(config);
/**
 * What 50 steps show, 2 show: the second loses what the first has made of the weights, and moves nothing but its batch
 * (docs/performance.md has the numbers of 50).
 */
const STEPS = 2;
const CHAIN = 3;

const locations = async (engine) => Object.values(await engine.describe('')).map(({ location }) => location);
const numbersOf = async (engine, path) =>
  Object.fromEntries(Object.entries(flatten(await engine.read(path))).map(([name, { data }]) => [name, [...data]]));

/**
 * Losses of a step of the diffusion model that is repeated, what a step moves once the first is done, where the state
 * lies then, and the average of the weights.
 */
async function diffusion(engine) {
  const work = await works['training step'](engine);
  const losses = [];
  for (let i = 0; i < STEPS; i++) {
    losses.push(...(await work.run()));
    if (i === 0) await engine.transfers();
  }
  const transfers = await engine.transfers();
  const learned = { losses, transfers, locations: await locations(engine) };
  const ema = await engine.read('ema.transformer.to_logits.1.bias');
  await engine.drop('');
  return { ...learned, ema: [...ema.data] };
}

/**
 * A step of the stage of a tokenizer of two resolutions, with all that its loss can hold, whose state lies on the
 * device already: its metrics, and every gradient, of which Adam's first mean holds a part then. Further steps are
 * trained by the command line (`webgpu.test.ts`).
 */
async function tokenizer(engine) {
  const work = await works['tokenizer stage'](engine);
  await engine.upload('');
  await engine.transfers();
  const metrics = await work.run();
  const learned = { metrics, transfers: await engine.transfers(), locations: await locations(engine) };
  const gradients = await numbersOf(engine, 'adam.mean');
  return { ...learned, gradients, discriminator: await numbersOf(engine, 'discriminator.adam.mean') };
}

/** Some pictures encoded. */
const encode = async (engine) => [...(await (await works.encode(engine)).run())];

/** A chain on the CPU, and what the device draws in each of its steps from the tokens and uniforms that the CPU had. */
async function sampling(cpu, gpu) {
  const [here, there] = [await works['reverse step'](cpu), await works['reverse step'](gpu)];
  const { batch, transformer } = here.job;
  const tokens = transformer.grid ** 2;
  const schedule = jobSchedule(here.job);
  const noise = { seed: 7, samples: Array.from({ length: batch }, (_, i) => i) };
  const visited = [];
  const recorded = async (x, t) => {
    const logProbs = await here.denoise(x, t);
    visited.push({ x: x.slice(), logProbs: logProbs.slice() });
    return logProbs;
  };
  await ancestral(recorded, { schedule, batch, tokens, steps: CHAIN, truncation: undefined, noise });

  const differing = [];
  let [drawn, farthest] = [0, 0];
  for (const [index, { from, to }] of exactPlan(schedule.steps, CHAIN).entries()) {
    const { x, logProbs } = visited[index];
    const other = await there.denoise(x, from);
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
  const cpu = Engine.start({ device: 'cpu', threads: 1 });
  const result = {};
  const both = (work) => async (gpu) => ({ cpu: await work(cpu), webgpu: await work(gpu) });
  /** As `deviceFallbacks` does it, which keeps no results. */
  const kept = (name, work) => async (gpu) => ({ run: async () => (result[name] = await work(gpu)) });
  const watched = {
    'training step': kept('diffusion', both(diffusion)),
    'reverse step': kept('sampling', (gpu) => sampling(cpu, gpu)),
    encode: kept('encode', both(encode)),
    'tokenizer stage': kept('tokenizer', both(tokenizer)),
  };
  const fallbacks = await deviceFallbacks(watched, { device: 'webgpu', threads: 1 });
  await cpu.close();
  return { ...result, fallbacks, steps: STEPS, chain: CHAIN };
}
