/** The programs of the diffusion stage: a training step as one graph, or as two that need half the memory. */

import { type NDArray, scalar, sizeOf, type Tree, zeros } from '../base/ndarray.ts';
import { flatten, unflatten } from '../base/tree.ts';
import type { Engine, Executable } from '../engine/engine.ts';
import type { PlannedProgram } from '../engine/memory/footprint.ts';
import * as g from '../graph/index.ts';
import { ALONE } from '../mpi/ranks.ts';
import { engineParameters, fromEngineLayout, toEngineLayout } from '../nn/kernel-layout.ts';
import { normalize } from '../nn/layers.ts';
import type { Parameter } from '../nn/parameters.ts';
import { adamw, clipByGlobalNorm, globalNorm, optimized } from '../optim/adamw.ts';
import { updateEma } from '../optim/ema.ts';
import { addGradients, GRADIENTS, microBatchSize, split } from '../optim/micro-batches.ts';
import type { DiffusionSettings } from '../recipe/schema.ts';
import { accumulate } from '../stage/accumulate.ts';
import { gatherResults, gradientReduction } from '../stage/data-parallel.ts';
import { type DiffusionLoss, type DiffusionLossOptions, diffusionLoss } from './loss.ts';
import { joinResults } from './micro-batches.ts';
import type { Schedule } from './process/schedule.ts';
import { type DiffusionModel, denoise, diffusionParameters, type TransformerConfig } from './transformer.ts';

/**
 * One training step on the engine's state `params`, `ema` and `adam`. Takes what the stage draws for a batch, the
 * learning rate `lr` and the average's `emaDecay`; gives `loss`, `kl` [batch], `norm` and `crossEntropy`.
 */
export type TrainingStep = (feeds: StepFeeds) => Promise<Record<string, NDArray>>;
/** What a step is fed: a batch (`Batch`), the learning rate, and the share of the average that stays. */
export interface StepFeeds {
  readonly [name: string]: NDArray;
  readonly lr: NDArray;
  readonly emaDecay: NDArray;
}

/**
 * The programs of a step, in the order in which it runs them: one, or one for gradients and some for the update that
 * write over the weights, where the batch comes in micro-batches or `updateInPlace` is set.
 */
export function stepPrograms(
  config: TransformerConfig,
  schedule: Schedule,
  settings: DiffusionSettings,
  microBatches = 1,
): PlannedProgram[] {
  const { updateInPlace, batch } = settings;
  if (microBatches === 1 && !updateInPlace)
    return [{ name: 'training step', write: () => trainingProgram(config, schedule, settings) }];
  const micro = { ...settings, batch: microBatchSize(batch, microBatches) };
  const gradients =
    microBatches === 1
      ? { write: () => gradientProgram(config, schedule, settings), arena: true }
      : { write: () => addingProgram(config, schedule, micro, microBatches), arena: !updateInPlace, fuse: false };
  return [
    { name: 'gradients', inPlace: true, ...gradients },
    ...updatePrograms(config, settings).map((program) => ({ name: 'update', inPlace: true, write: () => program })),
  ];
}

/**
 * Compile the step; the gradients of several micro-batches are added up in the state; then comes one update. With
 * several ranks each computes its share of the micro-batches, and is fed no more than that; results are of them all.
 */
export async function compileTraining(
  engine: Engine,
  config: TransformerConfig,
  schedule: Schedule,
  settings: DiffusionSettings,
  microBatches = 1,
  ranks = ALONE,
): Promise<TrainingStep> {
  const compiled: Executable[] = [];
  for (const { write, ...options } of stepPrograms(config, schedule, settings, microBatches))
    compiled.push(await engine.compile(write(), options));
  const [gradients, ...updates] = compiled as [Executable, ...Executable[]];
  if (updates.length === 0) return (feeds) => gradients.run(feeds);
  const reduction = gradientReduction(engine, ranks);
  return async ({ lr, emaDecay, ...batch }) => {
    const results =
      microBatches === 1
        ? [await gradients.run(batch)]
        : await accumulate(gradients, split(batch, microBatches / ranks.size));
    const out = joinResults(await gatherResults(ranks, results));
    const norm = ranks.size === 1 ? out.norm! : scalar(await reduction.run());
    for (const update of updates) await update.run({ lr, emaDecay, norm });
    return { ...out, norm };
  };
}

/** Put weights into the engine, as their own average and with no moments yet. One at a time: see `initializeEach`. */
export async function loadTraining(
  engine: Engine,
  weights: Iterable<readonly [string, NDArray]>,
  microBatches = 1,
): Promise<void> {
  for (const [path, given] of weights) {
    const array = toEngineLayout(given);
    const blank = zeros(array.shape);
    const sums = microBatches > 1 ? { [GRADIENTS]: blank } : {};
    const pieces = { params: array, ema: array, 'adam.mean': blank, 'adam.square': blank, ...sums };
    await engine.load(unflatten(Object.fromEntries(Object.entries(pieces).map(([at, p]) => [`${at}.${path}`, p]))));
  }
  await engine.load({ adam: { step: scalar(0) } });
}

/** Weights or their average from the engine, in the order that files have them. */
export const readTraining = async (
  engine: Engine,
  config: TransformerConfig,
  part: 'params' | 'ema',
): Promise<Tree<NDArray>> => fromEngineLayout(await engine.read(part), diffusionParameters(config));

/** The parameters in the order in which the programs below hold them (`nn/kernel-layout.ts`). */
export const trainedParameters = (config: TransformerConfig): DiffusionModel<Parameter> =>
  engineParameters(diffusionParameters(config));

/** Loss, backward pass, clipping, AdamW and EMA as one graph. */
export function trainingProgram(config: TransformerConfig, schedule: Schedule, settings: DiffusionSettings): g.Program {
  const inputs = { state: optimizerState(config), ...batchInputs(config, settings), ...updateInputs() };
  return g.trace(inputs, ({ state, lr, emaDecay, ...batch }) => {
    const { loss, kl, crossEntropy } = trainingLoss(state.params, batch, schedule, settings, config.heads);
    const { gradients, norm } = clipByGlobalNorm(g.grad(loss, state.params), settings.clipNorm);
    const next = adamw(state.params, gradients, state.adam, lr, { ...settings, eps: ADAM_EPS });
    return {
      state: { params: next.params, ema: updateEma(state.ema, next.params, emaDecay), adam: next.state },
      loss,
      kl,
      norm,
      crossEntropy,
    };
  });
}

/** The first half: loss and backward pass. Gradients go into the state, unclipped, with their norm. */
export function gradientProgram(config: TransformerConfig, schedule: Schedule, settings: DiffusionSettings): g.Program {
  const inputs = { state: { params: trainedParameters(config) }, ...batchInputs(config, settings) };
  return g.trace(inputs, ({ state: { params }, ...batch }) => {
    const { loss, kl, crossEntropy, masked } = trainingLoss(params, batch, schedule, settings, config.heads);
    const gradients: Tree<g.Tensor> = g.grad(loss, params);
    return { state: { [GRADIENTS]: gradients }, loss, kl, norm: globalNorm(gradients), crossEntropy, masked };
  });
}

/**
 * The first half for one of several micro-batches: its share of the gradient is added to `keep` times what the state
 * holds.
 */
function addingProgram(
  config: TransformerConfig,
  schedule: Schedule,
  settings: DiffusionSettings,
  microBatches: number,
): g.Program {
  const params = trainedParameters(config);
  const inputs = { state: { params, [GRADIENTS]: params }, ...batchInputs(config, settings), keep: g.f32() };
  return g.trace(inputs, ({ state, keep, ...batch }) => {
    const { loss, kl, crossEntropy, masked } = trainingLoss(state.params, batch, schedule, settings, config.heads);
    const added: Tree<g.Tensor> = g.grad(g.div(loss, microBatches), state.params);
    const gradients = addGradients(state[GRADIENTS]!, keep, added);
    return { state: { [GRADIENTS]: gradients }, loss, kl, norm: globalNorm(gradients), crossEntropy, masked };
  });
}

/**
 * The second half: clipping, AdamW and EMA. Elementwise, so that it may write over what it reads; several programs,
 * because the engine hands back a copy of whatever a program writes. To be run in order: the last one counts the step.
 * @param most numbers in a program, if it has more than one tensor.
 */
export function updatePrograms(
  config: TransformerConfig,
  settings: Pick<DiffusionSettings, 'clipNorm' | 'beta1' | 'beta2' | 'weightDecay'>,
  most = 2 ** 24,
): g.Program[] {
  const groups = grouped(Object.entries(flatten(trainedParameters(config))), most);
  return groups.map((group, i) => {
    const params: Tree<Parameter> = unflatten(Object.fromEntries(group));
    const inputs = {
      state: { ...optimized(params), ema: params, [GRADIENTS]: params },
      norm: g.f32(),
      ...updateInputs(),
    };
    return g.trace(inputs, ({ state, norm, lr, emaDecay }) => {
      const clipped = clipByGlobalNorm(state[GRADIENTS], settings.clipNorm, norm).gradients;
      const next = adamw(state.params, clipped, state.adam, lr, { ...settings, eps: ADAM_EPS });
      const { step, ...moments } = next.state;
      const counted = i === groups.length - 1 ? { step: step! } : {};
      const ema = updateEma(state.ema, next.params, emaDecay);
      return { state: { params: next.params, ema, adam: { ...moments, ...counted } } };
    });
  });
}

/** Parameters in groups of neighbours with at most `most` numbers together; a larger one is a group by itself. */
function grouped(parameters: readonly [string, Parameter][], most: number): [string, Parameter][][] {
  const groups: [string, Parameter][][] = [];
  let sum = 0;
  for (const entry of parameters) {
    const size = sizeOf(entry[1].shape);
    if (groups.length > 0 && sum + size <= most) groups.at(-1)!.push(entry);
    else groups.push([entry]);
    sum = groups.at(-1)!.length === 1 ? size : sum + size;
  }
  return groups;
}

const ADAM_EPS = 1e-8;

function optimizerState(config: TransformerConfig) {
  const params = trainedParameters(config);
  return { ...optimized(params), ema: params };
}

/** What a step is fed for a batch: see `Batch`. */
export function batchInputs(config: TransformerConfig, { batch }: Pick<DiffusionSettings, 'batch'>) {
  const tokens = config.grid ** 2;
  return {
    x0: g.i32(batch, tokens),
    xt: g.i32(batch, tokens),
    t: g.i32(batch),
    pt: g.f32(batch),
    condition: g.f32(batch, config.conditionDim),
    dropped: g.f32(batch, 1),
  };
}

const updateInputs = () => ({ lr: g.f32(), emaDecay: g.f32() });

/**
 * Codes `x0` and noisy codes `xt`, int32 [batch, tokens]; times `t`, int32 [batch], and the probabilities `pt` [batch]
 * with which they were drawn; conditions [batch, conditionDim], and 1 where one is `dropped` [batch, 1].
 */
export type Batch = Readonly<Record<'x0' | 'xt' | 't' | 'pt' | 'condition' | 'dropped', g.Tensor>>;

/**
 * Conditions [batch, conditionDim] as the network gets them: n / |n|, n the null embedding, for those that are
 * `dropped` [batch, 1].
 */
export function seenConditions(nullEmbedding: g.Tensor, condition: g.Tensor, dropped: g.Tensor): g.Tensor {
  return g.add(condition, g.mul(dropped, g.sub(normalize(nullEmbedding), condition)));
}

/** The loss of a batch: the null condition takes the place of those that are dropped. */
export function trainingLoss(
  model: DiffusionModel<g.Tensor>,
  { x0, xt, t, pt, condition, dropped }: Batch,
  schedule: Schedule,
  settings: DiffusionLossOptions,
  heads: number,
): DiffusionLoss {
  const seen = seenConditions(model.empty_text_embed, condition, dropped);
  const logits = denoise(model.transformer, xt, t, seen, heads);
  return diffusionLoss({ logits, x0, xt, t, pt }, schedule, settings);
}
