/**
 * Training the classifier: cross-entropy of every head on pictures that are moved, and mirrored where that changes
 * nothing they show.
 */

import { UserError } from '../../base/errors.ts';
import { float32, int32, type NDArray, scalar } from '../../base/ndarray.ts';
import { flatten } from '../../base/tree.ts';
import type { Engine } from '../../engine/engine.ts';
import * as g from '../../graph/index.ts';
import { logSoftmax } from '../../nn/layers.ts';
import { adopt, initialize } from '../../nn/parameters.ts';
import { adamState, adamw, clipByGlobalNorm } from '../../optim/adamw.ts';
import { warmupCosine } from '../../optim/schedule.ts';
import { integers } from '../../random/noise.ts';
import { Shuffle } from '../../random/shuffle.ts';
import { Classifier } from './classifier.ts';
import { type ClassifierConfig, classifierForward, classifierParameters } from './network.ts';

/** Pictures with what they show. */
export interface LabelledPictures {
  readonly count: number;
  /** [count, size, size, 3] bytes */
  readonly pixels: Uint8Array;
  /** By head: the number of each picture's class, [count]. */
  readonly labels: Readonly<Record<string, ArrayLike<number>>>;
}

export interface ClassifierTraining {
  readonly seed: number;
  readonly steps: number;
  readonly batch: number;
  readonly learningRate: number;
  /** Pictures are moved by up to this many pixels each way. */
  readonly shift: number;
  /** Whether half of them are mirrored. */
  readonly flip: boolean;
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((done: number, total: number) => void) | undefined;
}

const ADAM = { beta1: 0.9, beta2: 0.99, eps: 1e-8, weightDecay: 0.02 };
const CLIP_NORM = 1;
const WARMUP = 50;

/**
 * Train a classifier: a pure function of pictures, labels, configuration and settings. It leaves the rest of the
 * engine's state alone.
 * @throws UserError if a label is missing or names no class. Rejects with the signal's reason when aborted.
 */
export async function trainClassifier(
  engine: Engine,
  pictures: LabelledPictures,
  config: ClassifierConfig,
  options: ClassifierTraining,
): Promise<Classifier> {
  checkLabels(pictures, config);
  const { seed, steps, batch, signal } = options;
  const parameters = classifierParameters(config);
  const program = await engine.compile(trainingProgram(config, batch));
  const params = initialize(parameters, seed);
  await engine.load({ classifier: { params, adam: adamState(params) } });
  const shuffle = new Shuffle(seed, 'classifier/order', pictures.count);
  const feeds = (step: number) => {
    const rows = shuffle.batch(step, batch);
    const labels = config.heads.map(
      ({ name }) =>
        [
          name,
          int32(
            Int32Array.from(rows, (row) => pictures.labels[name]![row]!),
            [batch],
          ),
        ] as const,
    );
    const lr = scalar(warmupCosine({ ...options, warmupSteps: Math.min(WARMUP, Math.ceil(steps / 10)) }, step));
    return {
      x: movedPlanes(pictures.pixels, rows, config.size, step, options),
      labels: Object.fromEntries(labels),
      lr,
    };
  };

  let next = feeds(0);
  for (let step = 0; step < steps; step++) {
    signal?.throwIfAborted();
    const running = program.run(next);
    if (step + 1 < steps) next = feeds(step + 1);
    const loss = (await running).loss!.data[0]!;
    if (!Number.isFinite(loss)) throw new UserError(`classifier: the loss is ${loss} at step ${step + 1}`);
    options.onProgress?.(step + 1, steps);
  }
  const trained = adopt(parameters, flatten(await engine.read('classifier.params')), 'the engine');
  await engine.drop('classifier');
  return Classifier.create(engine, config, trained);
}

/** Forward pass, mean cross-entropy of the heads, backward pass, clipping and AdamW as one graph. */
function trainingProgram(config: ClassifierConfig, batch: number): g.Program {
  const parameters = classifierParameters(config);
  const inputs = {
    state: { classifier: { params: parameters, adam: { step: g.f32(), mean: parameters, square: parameters } } },
    x: g.f32(batch, 3, config.size, config.size),
    labels: Object.fromEntries(config.heads.map(({ name }) => [name, g.i32(batch)])),
    lr: g.f32(),
  };
  return g.trace(inputs, ({ state, x, labels, lr }) => {
    const { params, adam } = state.classifier;
    const { logits } = classifierForward(params, config, x);
    const losses = config.heads.map(({ name, classes }) => {
      const own = g.oneHot(labels[name]!, classes.length);
      return g.mul(g.sum(g.mul(logSoftmax(logits[name]!), own)), -1 / batch);
    });
    const loss = g.mul(
      losses.reduce((a, b) => g.add(a, b)),
      1 / losses.length,
    );
    const { gradients } = clipByGlobalNorm(g.grad(loss, params), CLIP_NORM);
    const next = adamw(params, gradients, adam, lr, ADAM);
    return { state: { classifier: { params: next.params, adam: next.state } }, loss };
  });
}

/**
 * Pictures `rows` as planes [rows, 3, size, size] in [-1, 1], each moved and mirrored as the step has it; borders are
 * repeated.
 */
function movedPlanes(
  pixels: Uint8Array,
  rows: Int32Array,
  size: number,
  step: number,
  { seed, shift, flip }: ClassifierTraining,
): NDArray<'float32'> {
  const moves = integers({ seed, stream: 'classifier/shift', step }, 0, 2 * rows.length, 2 * shift + 1);
  const flips = integers({ seed, stream: 'classifier/flip', step }, 0, rows.length, 2);
  const plane = size * size;
  const out = new Float32Array(rows.length * 3 * plane);
  const clamp = (i: number) => Math.min(size - 1, Math.max(0, i));
  for (const [n, row] of rows.entries()) {
    const [right, down] = [moves[2 * n]! - shift, moves[2 * n + 1]! - shift];
    const isMirrored = flip && flips[n] === 1;
    const columns = Int32Array.from({ length: size }, (_, x) => clamp((isMirrored ? size - 1 - x : x) - right));
    for (let y = 0; y < size; y++) {
      const from = size * (row * size + clamp(y - down));
      for (let x = 0; x < size; x++) {
        const pixel = 3 * (from + columns[x]!);
        const to = 3 * n * plane + y * size + x;
        for (let c = 0; c < 3; c++) out[to + c * plane] = pixels[pixel + c]! / 127.5 - 1;
      }
    }
  }
  return float32(out, [rows.length, 3, size, size]);
}

function checkLabels({ count, pixels, labels }: LabelledPictures, { heads, size }: ClassifierConfig): void {
  if (count < 1 || pixels.length !== count * 3 * size * size)
    throw new UserError(`classifier: ${pixels.length} bytes are not ${count} pictures of ${size}x${size} pixels`);
  for (const { name, classes } of heads) {
    const given = labels[name];
    if (given?.length !== count)
      throw new UserError(`classifier: ${given?.length ?? 0} labels for ${name}, ${count} pictures`);
    for (let i = 0; i < count; i++)
      if (!(Number.isInteger(given[i]) && given[i]! >= 0 && given[i]! < classes.length))
        throw new UserError(
          `classifier: picture ${i} has label ${given[i]} for ${name}, which has ${classes.length} classes`,
        );
  }
}
