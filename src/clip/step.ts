/**
 * A training step of the CLIP, whole or in micro-batches. The loss compares every picture of a batch with every text of
 * it, so micro-batches cannot be learned from one after another: first all are embedded, then the loss and its gradient
 * at the embeddings are computed on the whole, then each is embedded again and takes its gradients back through the
 * towers (2101.06983).
 */

import { type NDArray, scalar } from '../base/ndarray.ts';
import type { Engine, Executable } from '../engine/engine.ts';
import type { PlannedProgram } from '../engine/memory/footprint.ts';
import * as g from '../graph/index.ts';
import type { Ranks } from '../mpi/ranks.ts';
import { literals, type Parameter } from '../nn/parameters.ts';
import { adamw, clipByGlobalNorm, globalNorm, optimized } from '../optim/adamw.ts';
import { addGradients, cut, GRADIENTS, join, microBatchSize } from '../optim/micro-batches.ts';
import type { ClipSettings } from '../recipe/schema.ts';
import { accumulate, runEach } from '../stage/accumulate.ts';
import { gatherResults, gradientReduction } from '../stage/data-parallel.ts';
import type { ClipBatch } from './batches.ts';
import { contrastiveLoss } from './loss.ts';
import { type ClipParameters, embedImages, embedTexts, type ImageTower } from './towers.ts';

/** What a step is made for. */
export interface ClipStepOptions {
  readonly settings: ClipSettings;
  readonly parameters: ClipParameters<Parameter>;
  /** The place of each token in the table of embeddings. */
  readonly rows: Int32Array;
  /** Tokens of a caption. */
  readonly length: number;
}

/**
 * Takes a batch and the learning rate `lr`; gives `loss`, `accuracy` and the gradient's `norm` before it is clipped.
 */
export type ClipStep = (feeds: ClipBatch & { readonly lr: NDArray }) => Promise<Readonly<Record<string, NDArray>>>;

const ADAM = { beta1: 0.9, beta2: 0.98, eps: 1e-8 };
const CLIP_NORM = 1;

/** Both towers, the loss of every wording, backward pass, clipping and AdamW as one graph. */
export function trainingProgram(options: ClipStepOptions): g.Program {
  const { settings, parameters } = options;
  const inputs = { state: optimized(parameters), ...batchInputs(options, settings.batch), lr: g.f32() };
  return g.trace(inputs, ({ state: { params, adam }, images, ids, lr }) => {
    const { loss, accuracy } = lossOf(embed(params, images, ids, options), params.logScale, settings);
    const { gradients, norm } = clipByGlobalNorm(g.grad(loss, params), CLIP_NORM);
    const next = adamw(params, gradients, adam, lr, { ...ADAM, weightDecay: settings.weightDecay });
    return { state: { params: next.params, adam: next.state }, loss, accuracy, norm };
  });
}

/**
 * `trainingProgram` where the image tower is kept and only the text tower and the temperature learn (LiT; Zhai et al.,
 * 2111.07991): its weights are constants of the program.
 */
export function textProgram(options: ClipStepOptions, image: ImageTower<NDArray>): g.Program {
  const { settings, parameters } = options;
  const { text, logScale } = parameters;
  const inputs = { state: optimized({ text, logScale }), ...batchInputs(options, settings.batch), lr: g.f32() };
  return g.trace(inputs, ({ state: { params, adam }, images, ids, lr }) => {
    const towers = { ...params, image: literals(image) };
    const { loss, accuracy } = lossOf(embed(towers, images, ids, options), params.logScale, settings);
    const { gradients, norm } = clipByGlobalNorm(g.grad(loss, params), CLIP_NORM);
    const next = adamw(params, gradients, adam, lr, { ...ADAM, weightDecay: settings.weightDecay });
    return { state: { params: next.params, adam: next.state }, loss, accuracy, norm };
  });
}

/** The `loss` of a batch under the weights as they are; nothing learns. `image` is a tower that is kept. */
export function heldOutProgram(options: ClipStepOptions, batch: number, image?: ImageTower<NDArray>): g.Program {
  if (image) {
    const { text, logScale } = options.parameters;
    const inputs = { state: { params: { text, logScale } }, ...batchInputs(options, batch) };
    return g.trace(inputs, ({ state: { params }, images, ids }) => {
      const towers = { ...params, image: literals(image) };
      return { loss: lossOf(embed(towers, images, ids, options), params.logScale, options.settings).loss };
    });
  }
  const inputs = { state: { params: options.parameters }, ...batchInputs(options, batch) };
  return g.trace(inputs, ({ state: { params }, images, ids }) => ({
    loss: lossOf(embed(params, images, ids, options), params.logScale, options.settings).loss,
  }));
}

/** The programs of a step, in the order in which it runs them. */
export function stepPrograms(options: ClipStepOptions, microBatches: number): PlannedProgram[] {
  if (microBatches === 1) return [{ name: 'training step', write: () => trainingProgram(options) }];
  const batch = microBatchSize(options.settings.batch, microBatches);
  return [
    { name: 'embeddings', write: () => embeddingProgram(options, batch) },
    { name: 'loss', write: () => lossProgram(options), inPlace: true, arena: true, fuse: false },
    { name: 'gradients', write: () => addingProgram(options, batch), inPlace: true, arena: true, fuse: false },
    { name: 'update', write: () => updateProgram(options), inPlace: true },
  ];
}

/** The step out of `stepPrograms`, compiled, in their order. */
export function stepOf({ captions }: ClipSettings, microBatches: number, programs: readonly Executable[]): ClipStep {
  const [first, loss, gradients, update] = programs as [Executable, Executable, Executable, Executable];
  if (microBatches === 1) return (feeds) => first.run({ ...feeds });
  return async ({ images, ids, lr }) => {
    const [pictures, texts] = [cut(images, microBatches), cut(ids, microBatches, captions)];
    const feeds = pictures.map((some, i) => ({ images: some, ids: texts[i]! }));
    const embedded = await runEach(first, feeds);
    const { toPictures, toTexts, ...results } = await loss.run({
      pictures: join(embedded.map((one) => one.pictures!)),
      texts: join(
        embedded.map((one) => one.texts!),
        captions,
      ),
    });
    const [backPictures, backTexts] = [cut(toPictures!, microBatches), cut(toTexts!, microBatches, captions)];
    const back = (i: number) => ({ toPictures: backPictures[i]!, toTexts: backTexts[i]! });
    const { norm } = (await accumulate(gradients, feeds, back)).at(-1)!;
    await update.run({ lr, norm: norm! });
    return { ...results, norm: norm! };
  };
}

/**
 * The step out of `stepPrograms` over several ranks, each with its micro-batches: embeddings of all ranks meet in the
 * loss, and gradients are added up. It is fed the whole batch.
 */
export function sharedStepOf(
  { captions }: ClipSettings,
  microBatches: number,
  programs: readonly Executable[],
  engine: Engine,
  ranks: Ranks,
): ClipStep {
  const [first, loss, gradients, update] = programs as [Executable, Executable, Executable, Executable];
  const each = microBatches / ranks.size;
  const own = <T>(pieces: readonly T[]): T[] => pieces.slice(ranks.rank * each, (ranks.rank + 1) * each);
  const reduction = gradientReduction(engine, ranks);
  return async ({ images, ids, lr }) => {
    const [pictures, texts] = [own(cut(images, microBatches)), own(cut(ids, microBatches, captions))];
    const feeds = pictures.map((some, i) => ({ images: some, ids: texts[i]! }));
    const all = await gatherResults(ranks, await runEach(first, feeds));
    const { toPictures, toTexts, ...results } = await loss.run({
      pictures: join(all.map((one) => one.pictures!)),
      texts: join(
        all.map((one) => one.texts!),
        captions,
      ),
    });
    const [backPictures, backTexts] = [own(cut(toPictures!, microBatches)), own(cut(toTexts!, microBatches, captions))];
    await accumulate(gradients, feeds, (i) => ({ toPictures: backPictures[i]!, toTexts: backTexts[i]! }));
    // That of the temperature is of the whole batch on every rank already: it counts once.
    if (ranks.rank !== 0) await engine.load({ [GRADIENTS]: { logScale: scalar(0) } });
    const norm = scalar(await reduction.run());
    await update.run({ lr, norm });
    return { ...results, norm };
  };
}

/** Embeddings of a micro-batch: `pictures` [batch, dim] and `texts` [captions, batch, dim]. */
function embeddingProgram(options: ClipStepOptions, batch: number): g.Program {
  const inputs = { state: { params: options.parameters }, ...batchInputs(options, batch) };
  return g.trace(inputs, ({ state: { params }, images, ids }) => ({ ...embed(params, images, ids, options) }));
}

/**
 * The loss of a whole batch from its embeddings, its gradients there, and that of the temperature, which goes into the
 * state.
 */
function lossProgram({ settings, parameters: { logScale } }: ClipStepOptions): g.Program {
  const { batch, captions, dim } = settings;
  const embeddings = { pictures: g.f32(batch, dim), texts: g.f32(captions, batch, dim) };
  return g.trace({ state: { params: { logScale } }, ...embeddings }, ({ state: { params }, pictures, texts }) => {
    const { loss, accuracy } = lossOf({ pictures, texts }, params.logScale, settings);
    const to = g.grad(loss, { pictures, texts, logScale: params.logScale });
    const state = { [GRADIENTS]: { logScale: to.logScale } };
    return { state, loss, accuracy, toPictures: to.pictures, toTexts: to.texts };
  });
}

/** Adds a micro-batch's gradients to `keep` times what the state holds, and gives the `norm` of the sum. */
function addingProgram(options: ClipStepOptions, batch: number): g.Program {
  const { captions, dim } = options.settings;
  const params = options.parameters;
  const back = { toPictures: g.f32(batch, dim), toTexts: g.f32(captions, batch, dim), keep: g.f32() };
  const inputs = { state: { params, [GRADIENTS]: params }, ...batchInputs(options, batch), ...back };
  return g.trace(inputs, ({ state, images, ids, toPictures, toTexts, keep }) => {
    const { image, text } = state.params;
    const { pictures, texts } = embed(state.params, images, ids, options);
    const total = g.add(g.sum(g.mul(pictures, toPictures)), g.sum(g.mul(texts, toTexts)));
    const gradients = addGradients(state[GRADIENTS], keep, g.grad(total, { image, text }));
    const norm = globalNorm({ towers: gradients, logScale: state[GRADIENTS].logScale });
    return { state: { [GRADIENTS]: gradients }, norm };
  });
}

/** Clipping and AdamW on gradients that were added up. */
function updateProgram({ settings, parameters }: ClipStepOptions): g.Program {
  const inputs = { state: { ...optimized(parameters), [GRADIENTS]: parameters }, norm: g.f32(), lr: g.f32() };
  return g.trace(inputs, ({ state, norm, lr }) => {
    const { gradients } = clipByGlobalNorm(state[GRADIENTS], CLIP_NORM, norm);
    const next = adamw(state.params, gradients, state.adam, lr, { ...ADAM, weightDecay: settings.weightDecay });
    return { state: { params: next.params, adam: next.state } };
  });
}

interface Embeddings {
  /** [batch, dim]. */
  readonly pictures: g.Tensor;
  /** [captions, batch, dim]. */
  readonly texts: g.Tensor;
}

function embed(
  params: ClipParameters<g.Tensor>,
  images: g.Tensor,
  ids: g.Tensor,
  { rows, settings }: ClipStepOptions,
): Embeddings {
  const [captions, batch, length] = ids.shape as readonly [number, number, number];
  const texts = embedTexts(params.text, g.reshape(ids, [captions * batch, length]), rows);
  return {
    pictures: embedImages(params.image, images),
    texts: g.reshape(texts, [captions, batch, settings.dim]),
  };
}

/** Averages over the wordings; `gapWeight` times ‖mean picture − mean text‖² is added to the contrastive loss. */
function lossOf({ pictures, texts }: Embeddings, logScale: g.Tensor, { gapWeight }: Pick<ClipSettings, 'gapWeight'>) {
  const [captions, batch, dim] = texts.shape as readonly [number, number, number];
  const results = Array.from({ length: captions }, (_, k) =>
    contrastiveLoss(pictures, g.reshape(g.slice(texts, 0, k, k + 1), [batch, dim]), logScale),
  );
  const average = (of: 'loss' | 'accuracy') =>
    g.mul(
      results.map((result) => result[of]).reduce((a, b) => g.add(a, b)),
      1 / captions,
    );
  const loss = average('loss');
  const accuracy = average('accuracy');
  if (gapWeight === 0) return { loss, accuracy };
  const gap = g.sub(g.mean(pictures, 0), g.mean(texts, [0, 1]));
  return { loss: g.add(loss, g.mul(g.sum(g.square(gap)), gapWeight)), accuracy };
}

const batchInputs = ({ settings: { captions, imageSize }, length }: ClipStepOptions, batch: number) => ({
  images: g.f32(batch, 3, imageSize, imageSize),
  ids: g.i32(captions, batch, length),
});
