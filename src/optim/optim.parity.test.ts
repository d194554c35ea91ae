/** Adam, AdamW, clipping and the moving average as graph, and the official schedules, against the reference. */
import { afterAll, expect, it } from 'vitest';
import * as z from 'zod';
import { type Fixture, onFixture, onJsonFixture } from '../../test/support/fixtures.ts';
import { startKeepingEngine } from '../../test/support/keeping-engine.ts';
import { compare, EXACT, type Tolerance } from '../../test/support/parity.ts';
import { plateauConfig, plateauSettingsOf } from '../../test/support/published-plateau.ts';
import { type NDArray, scalar, type Tree } from '../base/ndarray.ts';
import * as g from '../graph/index.ts';
import { adamState, adamw, clipByGlobalNorm } from './adamw.ts';
import { updateEma } from './ema.ts';
import { initialPlateau, nextPlateau } from './plateau.ts';

const engine = startKeepingEngine();
afterAll(() => engine.close());

/** Elementwise arithmetic in float32: a few roundings. */
const FLOAT32: Tolerance = { relative: 2e-6, absolute: 1e-8 };
/** The same with float64 arithmetic in both. */
const FLOAT64: Tolerance = { relative: 1e-12, absolute: 1e-15 };

/** Tensors `<prefix><key><suffix>` as a tree by key, and the other way round. */
const gather = (file: Fixture, keys: readonly string[], name: (key: string) => string): Record<string, NDArray> =>
  Object.fromEntries(keys.map((key) => [key, file.feed(name(key))]));

onFixture('optim', (file) => {
  it.each(['adamw', 'adam_vqgan'])('%s gives the same weights and moments', async (name) => {
    const {
      lr,
      betas,
      eps,
      weight_decay = 0,
    } = file.setting(name) as {
      lr: number;
      betas: [number, number];
      eps: number;
      weight_decay?: number;
    };
    const options = { beta1: betas[0], beta2: betas[1], eps, weightDecay: weight_decay };
    const keys = file.matching(new RegExp(`^${name}\\.(p\\d+)\\.step0$`));
    const steps = file.matching(new RegExp(`^${name}\\.p0\\.grad(\\d+)$`)).map(Number);
    const params = gather(file, keys, (key) => `${name}.${key}.step0`);
    const moments = adamState(params);
    const state = { params, adam: { step: moments.step, mean: moments.mean, square: moments.square } };
    const gradients = (step: number) => gather(file, keys, (key) => `${name}.${key}.grad${step}`);
    const program = await engine.compile(
      g.trace({ state, gradients: gradients(1), lr: scalar(lr) }, ({ state, gradients, lr }) => {
        const next = adamw(state.params, gradients, state.adam, lr, options);
        return { state: { params: next.params, adam: next.state } };
      }),
    );
    await engine.load(state);
    for (const step of steps) {
      await program.run({ gradients: gradients(step), lr: scalar(lr) });
      const after = (await engine.read('params')) as Record<string, NDArray>;
      for (const key of keys)
        compare('optim', `${name} parameters`, after[key]!.data, file.floats(`${name}.${key}.step${step}`), FLOAT32);
    }
    const { mean, square } = (await engine.read('adam')) as Record<string, Record<string, NDArray>>;
    for (const key of keys) {
      compare('optim', `${name} exp_avg`, mean![key]!.data, file.floats(`${name}.${key}.exp_avg`), FLOAT32);
      compare('optim', `${name} exp_avg_sq`, square![key]!.data, file.floats(`${name}.${key}.exp_avg_sq`), FLOAT32);
    }
  });

  it.each(file.matching(/^clip\.(\w+)\.total_norm$/))('clip.%s', async (name) => {
    const keys = file.matching(new RegExp(`^clip\\.${name}\\.(g\\d+)$`));
    const gradients = gather(file, keys, (key) => `clip.${name}.${key}`);
    const program = await engine.compile(
      g.trace(
        { gradients },
        ({ gradients }) => clipByGlobalNorm(gradients as Tree<g.Tensor>, file.number('max_norm')) as Tree<g.Tensor>,
      ),
    );
    const out = await program.run({ gradients });
    compare('optim', 'clip total_norm', out.norm!.data, file.floats(`clip.${name}.total_norm`), FLOAT32);
    for (const key of keys) {
      compare(
        'optim',
        'clip gradients',
        out[`gradients.${key}`]!.data,
        file.floats(`clip.${name}.${key}_clipped`),
        FLOAT32,
      );
    }
  });

  it('averages weights alike', async () => {
    const { decay, update_iterations } = file.setting('ema') as { decay: number; update_iterations: number[] };
    const keys = file.matching(/^ema\.init\.(.*)$/);
    // Trees may not have dots in their keys.
    const tree = (part: string) => Object.fromEntries(keys.map((key, i) => [`${i}`, file.feed(`ema.${part}.${key}`)]));
    const program = await engine.compile(
      g.trace(
        { state: { ema: tree('init') }, params: tree('init'), decay: scalar(decay) },
        ({ state, params, decay }) => ({
          state: { ema: updateEma(state.ema, params, decay) },
        }),
      ),
    );
    await engine.load({ ema: tree('init') });
    for (const iteration of update_iterations) {
      await program.run({ params: tree(`it${iteration}.model`), decay: scalar(decay) });
      const after = (await engine.read('ema')) as Record<string, NDArray>;
      keys.forEach((key, i) => {
        compare('optim', 'ema', after[i]!.data, file.floats(`ema.it${iteration}.ema.${key}`), FLOAT32);
      });
    }
  });
});

const infinite = z.union([z.number(), z.literal('inf'), z.literal('-inf')]);
const small = z.object({
  config: plateauConfig,
  metrics: z.array(z.number().nullable()),
  lr: z.array(z.number()),
  state_bad_cooldown_best: z.array(z.tuple([z.number(), z.number(), infinite])),
});
const long = z.object({
  config: plateauConfig,
  lr_at_construction: z.number(),
  ops: z.array(
    z.object({
      n: z.number(),
      metric: z.number().nullable(),
      lr_after: z.number(),
      last_epoch: z.number(),
      bad: z.number(),
      cooldown: z.number(),
    }),
  ),
});
const schedules = z.object({
  plateau_small: z.record(z.string(), small),
});

onJsonFixture('optim', (value) => {
  const { plateau_small } = schedules.parse(value);

  it.each(Object.keys(plateau_small))('plateau_small.%s', (name) => {
    const { config, metrics, lr, state_bad_cooldown_best } = plateau_small[name]!;
    const settings = plateauSettingsOf(config);
    const states = [initialPlateau()];
    for (const metric of metrics) states.push(nextPlateau(settings, states.at(-1)!, metric ?? undefined));
    compare(
      'optim',
      'plateau lr',
      states.map(({ rate }) => rate),
      lr,
      FLOAT64,
    );
    const best = (value: number | string) => (typeof value === 'number' ? value : undefined);
    states.slice(1).forEach((state, i) => {
      const [bad, cooldown, expected] = state_bad_cooldown_best[i]!;
      compare('optim', 'plateau counters', [state.bad, state.cooling], [bad, cooldown], EXACT);
      expect(state.best).toBe(best(expected));
    });
  });

  const published = Object.entries(value as Record<string, unknown>).filter(([name]) =>
    /^plateau_(?!small)/.test(name),
  );
  it.each(published)('%s gives the same rates and counters', (_, record) => {
    const { config, lr_at_construction, ops } = long.parse(record);
    const settings = plateauSettingsOf(config);
    let state = initialPlateau();
    expect(state.rate).toBe(lr_at_construction);
    for (const op of ops) {
      for (let i = 0; i < op.n; i++) state = nextPlateau(settings, state, op.metric ?? undefined);
      compare('optim', 'plateau, published lr', [state.rate], [op.lr_after], FLOAT64);
      const counters = [state.count, state.bad, state.cooling];
      compare('optim', 'plateau, published counters', counters, [op.last_epoch, op.bad, op.cooldown], EXACT);
    }
  });

  it('has published schedules', () => expect(published.length).toBeGreaterThan(0));
});
