/** The CLIP stage: trains the two towers on captioned pictures and exports them as a folder that the embedder opens. */

import { UserError } from '../errors.ts';
import * as g from '../graph/index.ts';
import { scalar } from '../ndarray.ts';
import { adopt, initialize, type Parameter } from '../nn/parameters.ts';
import { adamState, adamw, clipByGlobalNorm } from '../optim/adamw.ts';
import { warmupCosine } from '../optim/schedule.ts';
import type { ClipSettings } from '../recipe.ts';
import type { Engine, Executable } from '../runtime/engine.ts';
import type { Stage } from '../training/stage.ts';
import { flatten } from '../tree.ts';
import { type CaptionedPictures, type ClipBatch, ClipBatches } from './batches.ts';
import { type Bpe, trainBpe } from './bpe.ts';
import { exportClip } from './export.ts';
import { contrastiveLoss } from './loss.ts';
import { type ClipParameters, clipParameters, embedImages, embedTexts } from './towers.ts';

export interface ClipStageOptions {
  readonly engine: Engine;
  readonly settings: ClipSettings;
  readonly seed: number;
  /** Their side is `settings.imageSize`. */
  readonly pairs: CaptionedPictures;
  readonly fingerprint: string;
  /** Where `export` writes the trained model. */
  readonly folder: string;
}

/** Pixels by which training moves pictures, so that the tower learns things rather than pixels. */
const SHIFT = 2;
const ADAM = { beta1: 0.9, beta2: 0.98, eps: 1e-8 };
const CLIP_NORM = 1;

/** @throws UserError if there are too few pairs for one batch beside the held-out ones. */
export function clipStage(options: ClipStageOptions): Stage {
  const { engine, settings, seed, pairs } = options;
  const held = heldOutPairs(pairs.size);
  const count = pairs.size - held;
  if (count < settings.batch) {
    throw new UserError(
      `${pairs.size} captioned pictures are too few: ${held} are held out and a batch needs ${settings.batch} (--set clip.batch=…)`,
    );
  }
  const corpus = Array.from({ length: count }, (_, i) => pairs.caption(i, 0));
  const bpe = trainBpe(corpus, settings.vocabulary);
  const length = trainingLength(corpus, bpe, settings.context);
  const { rows, known } = bpe.rowsOf(corpus);
  const parameters = clipParameters(settings, known);
  const { batch, captions } = settings;
  const batches = new ClipBatches({ pairs, count, bpe, length, batch, captions, shift: SHIFT, seed });
  let program: Executable | undefined;
  let next: { readonly step: number; readonly batch: ClipBatch } | undefined;

  return {
    name: 'clip',
    steps: settings.steps,
    batch: settings.batch,
    fingerprint: options.fingerprint,

    async prepare() {
      const params = initialize(parameters, seed);
      program ??= await engine.compile(trainingProgram(settings, parameters, rows, length));
      await engine.load({ params, adam: adamState(params) });
    },

    async run(step) {
      const { images, ids } = next?.step === step ? next.batch : batches.draw(step);
      const running = program!.run({ images, ids, lr: scalar(warmupCosine(settings, step)) });
      // The engine works in another thread: the next batch is drawn meanwhile.
      next = { step: step + 1, batch: batches.draw(step + 1) };
      const out = await running;
      return { loss: out.loss!.data[0]!, accuracy: out.accuracy!.data[0]! };
    },

    hostState: () => ({}),
    restore() {},

    async export() {
      const params = adopt(parameters, flatten(await engine.read('params')), 'the engine');
      exportClip(options.folder, { settings, bpe, rows, params });
    },
  };
}

/** Pairs held out, the last ones: a tenth, at most 500; of hundreds of pairs 100. */
export const heldOutPairs = (size: number): number =>
  size < 200 ? Math.ceil(size / 10) : 100 * Math.min(5, Math.max(1, Math.floor(size / 1000)));

/** Room for 95 of 100 captions. Padding costs as much as text, and longer captions are still true without their end. */
function trainingLength(texts: readonly string[], bpe: Bpe, context: number): number {
  const lengths = texts.map((text) => bpe.encode(text).length).sort((a, b) => a - b);
  return Math.min(context, lengths[Math.floor(0.95 * (lengths.length - 1))]!);
}

/**
 * Both towers, the loss of every wording, backward pass, clipping and AdamW as one graph.
 * @param rows the place of each token in the table of embeddings; @param length tokens of a caption.
 */
export function trainingProgram(
  settings: ClipSettings,
  parameters: ClipParameters<Parameter>,
  rows: Int32Array,
  length: number,
): g.Program {
  const { batch, captions, imageSize, weightDecay } = settings;
  const inputs = {
    state: { params: parameters, adam: { step: g.f32(), mean: parameters, square: parameters } },
    images: g.f32(batch, 3, imageSize, imageSize),
    ids: g.i32(captions, batch, length),
    lr: g.f32(),
  };
  return g.trace(inputs, ({ state: { params, adam }, images, ids, lr }) => {
    const pictures = embedImages(params.image, images);
    const texts = embedTexts(params.text, g.reshape(ids, [captions * batch, length]), rows);
    const wordings = Array.from({ length: captions }, (_, k) => g.slice(texts, 0, k * batch, (k + 1) * batch));
    const results = wordings.map((wording) => contrastiveLoss(pictures, wording, params.logScale));
    const average = (of: 'loss' | 'accuracy') =>
      g.mul(
        results.map((r) => r[of]).reduce((a, b) => g.add(a, b)),
        1 / captions,
      );
    const loss = average('loss');
    const { gradients } = clipByGlobalNorm(g.grad(loss, params), CLIP_NORM);
    const next = adamw(params, gradients, adam, lr, { ...ADAM, weightDecay });
    return { state: { params: next.params, adam: next.state }, loss, accuracy: average('accuracy') };
  });
}
