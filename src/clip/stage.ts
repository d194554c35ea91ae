/** The CLIP stage: trains the two towers on captioned pictures and exports them as a folder that the embedder opens. */

import fs from 'node:fs';
import path from 'node:path';
import { UserError } from '../base/errors.ts';
import { type NDArray, scalar, type Tree } from '../base/ndarray.ts';
import { option } from '../base/options.ts';
import { flatten } from '../base/tree.ts';
import { readSafetensors } from '../checkpoint/safetensors.ts';
import { type Bpe, trainBpe } from '../embedding/compact/bpe.ts';
import { clipName } from '../embedding/sources/clip-source.ts';
import type { Engine, Executable } from '../engine/engine.ts';
import { ALONE, type Ranks } from '../mpi/ranks.ts';
import { adopt, blank, initialize } from '../nn/parameters.ts';
import { adamState } from '../optim/adamw.ts';
import { GRADIENTS } from '../optim/micro-batches.ts';
import { warmupCosine } from '../optim/schedule.ts';
import type { ClipSettings } from '../recipe/schema.ts';
import type { Lineage, Stage } from '../stage/stage.ts';
import { type CaptionedPictures, type ClipBatch, ClipBatches } from './batches.ts';
import { EarlyStop } from './early-stop.ts';
import { exportClip } from './export.ts';
import {
  type ClipStep,
  type ClipStepOptions,
  heldOutProgram,
  sharedStepOf,
  stepOf,
  stepPrograms,
  textProgram,
} from './step.ts';
import { clipParameters, type ImageTower } from './towers.ts';

/** What the CLIP stage is made from. */
export interface ClipStageOptions {
  readonly engine: Engine;
  readonly settings: ClipSettings;
  readonly seed: number;
  /** Their side is `settings.imageSize`. */
  readonly pairs: CaptionedPictures;
  /** What `wordsOf` finds in them, where that is known. */
  readonly words?: ClipWords | undefined;
  readonly fingerprint: string;
  readonly madeFrom?: Lineage | undefined;
  /**
   * Micro-batches that a batch is computed in, to save memory; by default 1. Results are those of the whole batch, up
   * to rounding.
   */
  readonly microBatches?: number | undefined;
  /**
   * The processes that share each batch; `microBatches` are those of all of them. Where the image tower is kept, every
   * rank computes the whole batch.
   */
  readonly ranks?: Ranks | undefined;
  /** Where `export` writes the trained model. */
  readonly folder: string;
}

/** Pixels by which training moves pictures, so that the tower does not learn their exact places. */
const SHIFT = 2;

/** The words of captioned pictures: what the stage's programs and batches are made for. */
export interface ClipWords {
  /** Pictures that are learned from; the others are held out. */
  readonly count: number;
  readonly bpe: Bpe;
  /** The place of each token in the table of embeddings. */
  readonly rows: Int32Array;
  readonly length: number;
  /** Tokens that have an embedding. */
  readonly known: number;
}

/**
 * Learn an encoding from the captions of the pairs that are not held out, and number the tokens that occur in them.
 * @throws UserError if there are too few pairs for one batch beside the held-out ones.
 */
export function wordsOf(pairs: CaptionedPictures, settings: ClipSettings): ClipWords {
  const held = heldOutPairs(pairs.size);
  const count = pairs.size - held;
  if (count < settings.batch) {
    throw new UserError(
      `${pairs.size} captioned pictures are too few: ${held} are held out and a batch needs ${settings.batch} (${option('set', 'clip.batch=…')})`,
    );
  }
  const corpus = Array.from({ length: count }, (_, i) => pairs.caption(i, 0));
  const bpe = trainBpe(corpus, settings.vocabulary);
  return { count, bpe, length: trainingLength(corpus, bpe, settings.context), ...bpe.rowsOf(corpus) };
}

/**
 * The stage that trains a compact CLIP on captioned pictures.
 * @throws UserError as `wordsOf` does, and for an image tower that is not there or does not fit.
 */
export function clipStage(options: ClipStageOptions): Stage {
  const { engine, settings, seed, pairs, microBatches = 1, ranks = ALONE } = options;
  const { count, bpe, rows, length, known } = options.words ?? wordsOf(pairs, settings);
  const parameters = clipParameters(settings, known);
  const { batch, captions } = settings;
  const batches = new ClipBatches({ pairs, count, bpe, length, batch, captions, shift: SHIFT, seed });
  const step: ClipStepOptions = { settings, parameters, rows, length };
  const image = settings.imageTower === '' ? undefined : keptTower(settings, microBatches / ranks.size);
  const { text, logScale } = parameters;
  const learned = image ? { text, logScale } : parameters;
  const { steps, patience } = settings;
  const stop = new EarlyStop({ pairs, count, bpe, length, captions, steps, patience });
  let train: ClipStep | undefined;
  let heldOut: Executable | undefined;
  let next: { readonly step: number; readonly batch: ClipBatch } | undefined;

  return {
    name: 'clip',
    steps: settings.steps,
    batch: settings.batch,
    fingerprint: options.fingerprint,
    madeFrom: options.madeFrom,
    transient: [GRADIENTS],

    async prepare() {
      const params: Tree<NDArray> = initialize(learned, seed);
      train ??= await compiledStep(engine, step, microBatches, image, ranks);
      if (stop.isOn)
        heldOut ??= await engine.compile(heldOutProgram(step, stop.batch, image), { name: 'held-out loss' });
      stop.reset();
      await engine.load({ params, adam: adamState(params) });
      if (microBatches > 1) await engine.load({ [GRADIENTS]: blank(parameters) });
    },

    async run(step, rate = 1) {
      const { images, ids } = next?.step === step ? next.batch : batches.draw(step);
      const running = train!({ images, ids, lr: scalar(rate * warmupCosine(settings, step)) });
      // The engine works in another thread: the next batch is drawn meanwhile.
      next = { step: step + 1, batch: batches.draw(step + 1) };
      const out = await running;
      if (heldOut) await stop.measure(step + 1, heldOut, engine);
      const [loss, accuracy, gradientNorm] = [out.loss!.data[0]!, out.accuracy!.data[0]!, out.norm!.data[0]!];
      return { loss, accuracy, gradientNorm, ...stop.metrics };
    },

    learningRate: (step) => warmupCosine(settings, step),

    enough: (step) => stop.note(step),

    hostState: () => stop.hostState(),
    restore: (host) => stop.restore(host),

    async export(labels = {}) {
      const learnt = stop.bestWeights ?? flatten<NDArray>(await engine.read('params'));
      const arrays = { ...learnt, ...(image && flatten<NDArray>({ image })) };
      const params = adopt(parameters, arrays, 'the engine');
      exportClip(options.folder, { settings, bpe, rows, params }, labels);
    },
  };
}

async function compiledStep(
  engine: Engine,
  step: ClipStepOptions,
  microBatches: number,
  image: ImageTower<NDArray> | undefined,
  ranks: Ranks,
): Promise<ClipStep> {
  const { settings } = step;
  if (image) return stepOf(settings, 1, [await engine.compile(textProgram(step, image), { name: 'training step' })]);
  const programs: Executable[] = [];
  for (const { write, ...compile } of stepPrograms(step, microBatches))
    programs.push(await engine.compile(write(), compile));
  if (ranks.size > 1) return sharedStepOf(settings, microBatches, programs, engine, ranks);
  return stepOf(settings, microBatches, programs);
}

/**
 * The image tower that is kept.
 * @throws UserError if the folder holds none of these sizes, or the batch is to be computed in micro-batches.
 */
function keptTower(settings: ClipSettings, microBatches: number): ImageTower<NDArray> {
  if (microBatches > 1)
    throw new UserError(
      `With clip.imageTower a batch is computed whole: leave out ${option('microBatches')}, or set a smaller clip.batch`,
    );
  const file = path.join(clipName(settings.imageTower), 'model.safetensors');
  if (!fs.existsSync(file))
    throw new UserError(`clip.imageTower: ${file} is missing: name the folder of a compact CLIP`);
  const { image } = clipParameters(settings, 1);
  const { tensors } = readSafetensors(file);
  return adopt(
    { image },
    Object.fromEntries(Object.entries(tensors).filter(([name]) => name.startsWith('image.'))),
    file,
  ).image;
}

/** Pairs held out, the last ones: a tenth, at most 500; of hundreds of pairs 100. */
export const heldOutPairs = (size: number): number =>
  size < 200 ? Math.ceil(size / 10) : 100 * Math.min(5, Math.max(1, Math.floor(size / 1000)));

/** Room for 95 of 100 captions. Padding costs as much as text, and longer captions are still true without their end. */
function trainingLength(texts: readonly string[], bpe: Bpe, context: number): number {
  const lengths = texts.map((text) => bpe.encode(text).length).sort((a, b) => a - b);
  return Math.min(context, lengths[Math.floor(0.95 * (lengths.length - 1))]!);
}
