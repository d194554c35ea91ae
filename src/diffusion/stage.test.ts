/**
 * The diffusion stage in its variants: updates in place, the second stage, and a learning rate steered by a score,
 * resumed.
 */
import { afterAll, describe, expect, it } from 'vitest';
import { startKeepingEngine } from '../../test/support/keeping-engine.ts';
import { randomLatents, TINY_LATENTS, tinyDiffusionRecipe } from '../../test/support/tiny-latents.ts';
import { float32, int32, type NDArray, scalar, type Tree } from '../base/ndarray.ts';
import { flatten } from '../base/tree.ts';
import { initialize, initializeEach } from '../nn/parameters.ts';
import { GRADIENTS } from '../optim/micro-batches.ts';
import type { DiffusionSettings } from '../recipe/schema.ts';
import type { Metrics, Stage } from '../stage/stage.ts';
import { scheduleOf, transformerConfig } from './model.ts';
import { compileTraining, loadTraining, readTraining, trainingProgram, updatePrograms } from './programs.ts';
import { type DiffusionStageOptions, diffusionStage } from './stage.ts';
import { diffusionParameters } from './transformer.ts';

const base = tinyDiffusionRecipe({ 'diffusion.mlp': 'conv', 'diffusion.steps': '6', 'diffusion.batch': '3' });
const { tokens, dim } = TINY_LATENTS;
const latents = randomLatents(base);

const engine = startKeepingEngine();
afterAll(() => engine.close());

interface Trained {
  readonly metrics: readonly Metrics[];
  readonly weights: Tree<NDArray>;
}

function makeStage(changes: Partial<DiffusionSettings>, options: Partial<DiffusionStageOptions> = {}) {
  const exported: Tree<NDArray>[] = [];
  const stage = diffusionStage({
    engine,
    name: 'diffusion',
    recipe: { ...base, diffusion: { ...base.diffusion, ...changes } },
    seed: 7,
    latents,
    fingerprint: 'a',
    onExport: (params) => void exported.push(params),
    ...options,
  });
  return { stage, exported };
}

async function walk(stage: Stage, from: number, to: number): Promise<Metrics[]> {
  const metrics: Metrics[] = [];
  for (let step = from; step < to; step++) metrics.push(await stage.run(step));
  return metrics;
}

async function train(changes: Partial<DiffusionSettings>, options?: Partial<DiffusionStageOptions>): Promise<Trained> {
  const { stage, exported } = makeStage(changes, options);
  await engine.drop('');
  await stage.prepare();
  const metrics = await walk(stage, 0, stage.steps);
  await stage.export();
  return { metrics, weights: exported[0]! };
}

const farthest = (a: ArrayLike<number>, b: ArrayLike<number>): number =>
  Math.max(...Array.from(a, (v, i) => Math.abs(v - b[i]!)));

describe('diffusion stage', () => {
  it('computes the same in two programs, or with a fused update, as in one program of operators', async () => {
    const config = transformerConfig(base, dim);
    const settings = { ...base.diffusion, batch: 2 };
    const schedule = scheduleOf(base);
    const t = [0, 3];
    const { codes: x0, embeddings } = latents.gather([0, 1], [0, 0]);
    const feeds = {
      x0: int32(x0, [2, tokens]),
      xt: int32(
        x0.map((code, i) => (i % 3 === 0 ? code : base.tokenizer.codes)),
        [2, tokens],
      ),
      t: int32(t, [2]),
      pt: float32([0.2, 0.2], [2]),
      condition: float32(embeddings, [2, dim]),
      dropped: float32([0, 1], [2, 1]),
      lr: scalar(0.01),
      emaDecay: scalar(0.5),
    };
    const whole = await engine.compile(trainingProgram(config, schedule, settings), { fuse: false });
    const cut = await compileTraining(engine, config, schedule, settings);
    const parts = await compileTraining(engine, config, schedule, { ...settings, updateInPlace: true });
    const walked = async (step: typeof cut) => {
      await engine.drop('');
      await loadTraining(engine, initializeEach(diffusionParameters(config), 1));
      const losses = [];
      for (let i = 0; i < 4; i++) losses.push((await step(feeds)).loss!.data[0]!);
      return { losses, ema: flatten<NDArray>(await readTraining(engine, config, 'ema')) };
    };
    const one = await walked((given) => whole.run(given));
    expect(one.losses[3]).not.toBeCloseTo(one.losses[0]!, 1);
    for (const two of [await walked(cut), await walked(parts)]) {
      for (const [i, loss] of one.losses.entries()) expect(two.losses[i]).toBeCloseTo(loss, 3);
      // Adam makes full steps of rounding noise where a gradient is zero in theory.
      for (const [path, { data, shape }] of Object.entries(one.ema)) {
        expect(two.ema[path]!.shape).toEqual(shape);
        if (!path.endsWith('attn.key.bias')) expect(farthest(data, two.ema[path]!.data), path).toBeLessThan(2e-3);
      }
    }
  });

  it('updates the same in many parts as in one', async () => {
    const config = transformerConfig(base, dim);
    const settings = { ...base.diffusion, batch: 1 };
    const walkParts = async (most?: number) => {
      const programs = updatePrograms(config, settings, most);
      await engine.drop('');
      await loadTraining(engine, initializeEach(diffusionParameters(config), 1));
      await engine.load({ [GRADIENTS]: initialize(diffusionParameters(config), 2) });
      for (const program of programs) {
        const update = await engine.compile(program, { inPlace: true });
        await update.run({ lr: scalar(0.01), emaDecay: scalar(0.5), norm: scalar(3) });
      }
      return { parts: programs.length, state: flatten(await engine.read('')) };
    };
    const [one, many] = [await walkParts(), await walkParts(1000)];
    expect(one.parts).toBe(1);
    expect(many.parts).toBeGreaterThan(5);
    expect(many.state).toEqual(one.state);
    expect(one.state['adam.step']).toEqual(scalar(1));
  });

  it('needs no checkpoint of what it calls transient', async () => {
    const whole = await train({ updateInPlace: true });
    const { stage, exported } = makeStage({ updateInPlace: true });
    await engine.drop('');
    await stage.prepare();
    const before = await walk(stage, 0, 3);
    expect(Object.keys(await engine.describe(''))).toContainEqual(expect.stringMatching(`^${GRADIENTS}\\.`));
    for (const path of stage.transient!) await engine.drop(path);
    expect(Object.keys(await engine.describe(''))).not.toContainEqual(expect.stringMatching(GRADIENTS));
    expect([...before, ...(await walk(stage, 3, 6))]).toEqual(whole.metrics);
    await stage.export();
    expect(exported[0]).toEqual(whole.weights);
  });

  it('goes on, as the second stage, from the weights it is given, and draws anew', async () => {
    const config = transformerConfig(base, dim);
    const initial = initialize(diffusionParameters(config), 99);
    const { stage } = makeStage({ learningRate: 0.01 }, { name: 'finetune', initial });
    expect(stage.name).toBe('finetune');
    await engine.drop('');
    await stage.prepare();
    expect(flatten(await readTraining(engine, config, 'params'))).toEqual(flatten(initial));
    const [first] = await walk(stage, 0, 1);
    expect(flatten(await readTraining(engine, config, 'params'))).not.toEqual(flatten(initial));
    // The first stage with the same weights sees another batch.
    const [other] = (await train({ learningRate: 0.01 })).metrics;
    expect(first!.loss).not.toBe(other!.loss);
  });

  it('is steered by scores of its averaged weights, and repeats itself when it is resumed', async () => {
    const seen: Tree<NDArray>[] = [];
    const validate = async (ema: Tree<NDArray>) => {
      seen.push(ema);
      return Object.values(flatten(ema)).reduce((sum, { data }) => sum + data[0]!, 0);
    };
    const changes = {
      schedule: 'plateau',
      plateauSignal: 'clip-score',
      plateauPatience: 0,
      plateauThreshold: 1000,
      validateEvery: 2,
      steps: 8,
    } as const;
    const whole = await train(changes, { validate });
    expect(whole.metrics.map(({ clipScore }) => clipScore !== undefined)).toEqual(
      [0, 1, 2, 3, 4, 5, 6, 7].map((step) => step % 2 === 1),
    );
    expect(seen).toHaveLength(4);
    expect(flatten(seen[3]!)).toEqual(flatten(whole.weights));
    // No score is ever 1000 better: the rate falls with every validation after the first.
    const rates = whole.metrics.map(({ learningRate }) => learningRate!);
    expect(rates[0]).toBe(0);
    expect(rates[7]).toBeLessThan(rates[3]!);

    const first = makeStage(changes, { validate });
    await engine.drop('');
    await first.stage.prepare();
    const before = await walk(first.stage, 0, 5);
    const saved = { state: await engine.read(''), host: first.stage.hostState() };
    const second = makeStage(changes, { validate });
    await engine.drop('');
    await second.stage.prepare();
    await engine.load(saved.state);
    second.stage.restore(saved.host);
    expect([...before, ...(await walk(second.stage, 5, 8))]).toEqual(whole.metrics);
    await second.stage.export();
    expect(second.exported[0]).toEqual(whole.weights);
  });
});

describe('micro-batches', () => {
  const trained = async (microBatches: number, changes: Partial<DiffusionSettings>): Promise<Trained> => {
    const { stage, exported } = makeStage(changes, { microBatches });
    await engine.drop('');
    await stage.prepare();
    const metrics: Metrics[] = [];
    for (let step = 0; step < 4; step++) metrics.push(await stage.run(step));
    const history = stage.hostState()['times.history']!;
    await stage.export();
    return { metrics, weights: { model: exported[0]!, history } };
  };

  it.each([false, true])('learn what the whole batch learns, clipped or not (in place: %s)', async (updateInPlace) => {
    for (const clipNorm of [1e9, 0.05]) {
      const changes = { batch: 4, updateInPlace, clipNorm, emaDecay: 0 };
      const whole = await trained(1, changes);
      const parts = await trained(4, changes);
      whole.metrics.forEach(({ loss, gradientNorm }, i) => {
        expect(parts.metrics[i]!.loss / loss).toBeCloseTo(1, 4);
        expect(parts.metrics[i]!.gradientNorm! / gradientNorm!).toBeCloseTo(1, 3);
      });
      const [a, b] = [flatten<NDArray>(whole.weights), flatten<NDArray>(parts.weights)];
      for (const [path, { data }] of Object.entries(a)) {
        // The size of the whole: AdamW turns rounding of a zero gradient into a step of any sign.
        const [error, size] = [
          distance(data, b[path]!.data),
          distance(
            data,
            data.map(() => 0),
          ),
        ];
        expect(error, path).toBeLessThan(2e-3 * size + 2e-3);
      }
    }
  });

  it('refuses micro-batches that do not divide the batch', async () => {
    await expect(makeStage({ batch: 4 }, { microBatches: 3 }).stage.prepare()).rejects.toThrow(/choose one of 1, 2, 4/);
  });
});

const distance = (a: ArrayLike<number>, b: ArrayLike<number>): number =>
  Math.hypot(...Array.from(a, (value, i) => value - b[i]!));
