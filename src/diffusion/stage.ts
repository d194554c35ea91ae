/** The diffusion stage: learns codes given CLIP image embeddings, with the condition dropped now and then for guidance. */

import * as g from '../graph/index.ts';
import { float32, int32, type NDArray, scalar, type Tree } from '../ndarray.ts';
import { normalize } from '../nn/layers.ts';
import { initialize } from '../nn/parameters.ts';
import { adamState, adamw, clipByGlobalNorm } from '../optim/adamw.ts';
import { updateEma } from '../optim/ema.ts';
import { warmupCosine } from '../optim/schedule.ts';
import { normalBatch, uniformBatch, uniforms } from '../random/noise.ts';
import { Shuffle } from '../random/shuffle.ts';
import type { DiffusionSettings } from '../recipe.ts';
import type { Engine, Executable } from '../runtime/engine.ts';
import type { Metrics, Stage } from '../training/stage.ts';
import { pseudoText } from './condition.ts';
import { corrupt } from './corrupt.ts';
import { type Latents, takeRows } from './latents.ts';
import { diffusionLoss } from './loss.ts';
import { type DiffusionRecipe, scheduleOf, transformerConfig } from './model.ts';
import type { Schedule } from './schedule.ts';
import { drawTimesteps, initialTimesteps, type TimestepState, updateHistory } from './timesteps.ts';
import { type DiffusionModel, denoise, diffusionParameters, type TransformerConfig } from './transformer.ts';

export interface DiffusionStageOptions {
  readonly engine: Engine;
  readonly recipe: DiffusionRecipe;
  readonly seed: number;
  readonly latents: Latents;
  readonly fingerprint: string;
  /** Receives the averaged parameters when the stage is done. */
  readonly onExport: (params: Tree<NDArray>) => Promise<void> | void;
}

export function diffusionStage(options: DiffusionStageOptions): Stage {
  const { engine, recipe, seed, latents } = options;
  const settings = recipe.diffusion;
  const config = transformerConfig(recipe, latents.dim);
  const schedule = scheduleOf(recipe);
  const shuffle = new Shuffle(seed, 'diffusion/order', latents.size);
  let times = initialTimesteps(settings.timesteps);
  let program: Executable | undefined;

  return {
    name: 'diffusion',
    steps: settings.steps,
    batch: settings.batch,
    fingerprint: options.fingerprint,

    async prepare() {
      const params = initialize(diffusionParameters(config), seed);
      program ??= await engine.compile(trainingProgram(config, schedule, settings));
      await engine.load({ params, ema: params, adam: adamState(params) });
      times = initialTimesteps(settings.timesteps);
    },

    async run(step) {
      const feeds = drawBatch(step, { latents, shuffle, schedule, settings, seed, times });
      const out = await program!.run({
        ...feeds,
        lr: scalar(warmupCosine(settings, step)),
        emaDecay: scalar(emaDecay(settings, step)),
      });
      times = updateHistory(times, feeds.t.data, out.kl!.data);
      const metrics: Metrics = {
        loss: out.loss!.data[0]!,
        crossEntropy: out.crossEntropy!.data[0]!,
        gradientNorm: out.norm!.data[0]!,
      };
      return metrics;
    },

    hostState: () => ({
      'times.history': { dtype: 'float64', shape: [settings.timesteps], data: times.history },
      'times.count': { dtype: 'float64', shape: [settings.timesteps], data: times.count },
    }),

    restore(host) {
      times = {
        history: host['times.history']!.data as Float64Array,
        count: host['times.count']!.data as Float64Array,
      };
    },

    async export() {
      await options.onExport(await engine.read('ema'));
    },
  };
}

/** The average starts short and lengthens to `emaDecay`, so that early weights are forgotten; 1 between updates. */
function emaDecay({ emaDecay, emaEvery }: DiffusionSettings, step: number): number {
  if ((step + 1) % emaEvery !== 0) return 1;
  const updates = (step + 1) / emaEvery;
  return Math.min(emaDecay, (1 + updates) / (10 + updates));
}

interface BatchSource {
  readonly latents: Latents;
  readonly shuffle: Shuffle;
  readonly schedule: Schedule;
  readonly settings: DiffusionSettings;
  readonly seed: number;
  readonly times: TimestepState;
}

/** All that is random about a step, drawn on the host from (seed, stream, step, sample index). */
function drawBatch(step: number, { latents, shuffle, schedule, settings, seed, times }: BatchSource) {
  const { batch, noiseScale, nullProbability } = settings;
  const { tokens, dim } = latents;
  const samples = Array.from({ length: batch }, (_, i) => i);
  const key = (stream: string) => ({ seed, stream: `diffusion/${stream}`, step });
  const rows = shuffle.batch(step, batch);
  const x0 = takeRows(latents.codes, tokens, rows);
  const { t, pt } = drawTimesteps(
    times,
    samples.map((i) => uniforms(key('time'), i, 1)[0]!),
  );
  const xt = corrupt(
    schedule,
    x0,
    t,
    samples.flatMap((i) => [...uniforms(key('corrupt'), i, tokens)]),
  );
  const condition = pseudoText(
    takeRows(latents.embeddings, dim, rows),
    normalBatch(key('condition'), samples, dim),
    noiseScale,
    dim,
  );
  const dropped = uniformBatch(key('drop'), samples, 1).map((u) => (u < nullProbability ? 1 : 0));
  return {
    x0: int32(x0, [batch, tokens]),
    xt: int32(xt, [batch, tokens]),
    t: int32(t, [batch]),
    pt: float32(Float32Array.from(pt), [batch]),
    condition: float32(condition, [batch, dim]),
    dropped: float32(dropped, [batch, 1]),
  };
}

/** Loss, backward pass, clipping, AdamW and EMA as one graph. */
export function trainingProgram(config: TransformerConfig, schedule: Schedule, settings: DiffusionSettings): g.Program {
  const { batch } = settings;
  const tokens = config.grid ** 2;
  const params = diffusionParameters(config);
  const moments = { step: g.f32(), mean: params, square: params };
  const inputs = {
    state: { params, ema: params, adam: moments },
    x0: g.i32(batch, tokens),
    xt: g.i32(batch, tokens),
    t: g.i32(batch),
    pt: g.f32(batch),
    condition: g.f32(batch, config.conditionDim),
    dropped: g.f32(batch, 1),
    lr: g.f32(),
    emaDecay: g.f32(),
  };
  return g.trace(inputs, ({ state, x0, xt, t, pt, condition, dropped, lr, emaDecay }) => {
    const model: DiffusionModel<g.Tensor> = state.params;
    const nothing = normalize(model.empty_text_embed);
    const seen = g.add(condition, g.mul(dropped, g.sub(nothing, condition)));
    const logits = denoise(model.transformer, xt, t, seen, config.heads);
    const { loss, kl, crossEntropy } = diffusionLoss({ logits, x0, xt, t, pt }, schedule, settings);
    const { gradients, norm } = clipByGlobalNorm(g.grad(loss, model), settings.clipNorm);
    const next = adamw(model, gradients, state.adam, lr, { ...settings, eps: 1e-8 });
    return {
      state: { params: next.params, ema: updateEma(state.ema, next.params, emaDecay), adam: next.state },
      loss,
      kl,
      norm,
      crossEntropy,
    };
  });
}
