/**
 * A judge that is not CLIP: a small convolutional net with one softmax for each question, trained on true answers. It counts how
 * often pictures show what was asked for; it never teaches the generator anything.
 */

import type { Tensor } from '../graph/index.ts';
import * as g from '../graph/index.ts';
import { float32, int32, type NDArray, scalar, type Tree } from '../ndarray.ts';
import * as nn from '../nn/layers.ts';
import { adopt, initialize, literals, type Parameter } from '../nn/parameters.ts';
import { adamState, adamw, clipByGlobalNorm } from '../optim/adamw.ts';
import { warmupCosine } from '../optim/schedule.ts';
import { integers } from '../random/noise.ts';
import { Shuffle } from '../random/shuffle.ts';
import { Engine, type EngineOptions } from '../runtime/engine.ts';
import { flatten } from '../tree.ts';
import { planesOf } from '../vqgan/pixels.ts';

/** A question with a fixed set of answers: what colour is the background? */
export interface Question {
  readonly name: string;
  readonly answers: readonly string[];
}

/** Pictures with true answers. */
export interface Examples {
  /** [n, side, side, 3] bytes. */
  readonly images: Uint8Array;
  /** [questions, n]: the number of the answer. */
  readonly labels: readonly ArrayLike<number>[];
}

export interface ClassifierSettings {
  readonly side: number;
  readonly questions: readonly Question[];
  readonly steps: number;
  readonly batch: number;
  readonly learningRate: number;
  readonly seed: number;
}

export interface TrainOptions {
  readonly engine?: EngineOptions;
  readonly signal?: AbortSignal;
  readonly onStep?: (done: number, total: number, loss: number) => void;
}

/** The net's weights, under dotted names. */
export type ClassifierWeights = Readonly<Record<string, NDArray>>;

const CHANNELS = [32, 64, 96] as const;
const FEATURES = 128;
const GROUP = 8;
/** Pixels by which training moves pictures each way. */
const SHIFT = 2;
const ADAM = { beta1: 0.9, beta2: 0.98, eps: 1e-8, weightDecay: 0.05 };

type Level<T> = {
  readonly conv: nn.Conv<T>;
  readonly norm: nn.Norm<T>;
  readonly mix: nn.Conv<T>;
  readonly after: nn.Norm<T>;
};
type Net<T> = {
  readonly levels: Readonly<Record<string, Level<T>>>;
  readonly features: nn.Linear<T>;
  readonly heads: Readonly<Record<string, nn.Linear<T>>>;
};

function parametersOf({ side, questions }: Pick<ClassifierSettings, 'side' | 'questions'>): Net<Parameter> {
  const last = Math.ceil(side / 2 ** CHANNELS.length);
  const levels = CHANNELS.map((width, i): [string, Level<Parameter>] => [
    `${i}`,
    {
      conv: nn.convParameters(CHANNELS[i - 1] ?? 3, width, 3, Math.SQRT2),
      norm: nn.normParameters(width),
      mix: nn.convParameters(width, width, 3),
      after: nn.normParameters(width),
    },
  ]);
  return {
    levels: Object.fromEntries(levels),
    features: nn.linearParameters(CHANNELS.at(-1)! * last ** 2, FEATURES),
    heads: Object.fromEntries(
      questions.map(({ answers }, i) => [`${i}`, nn.linearParameters(FEATURES, answers.length)]),
    ),
  };
}

/** Pictures [batch, 3, side, side] in [-1, 1] to features [batch, 128]. */
function featuresOf(net: Net<Tensor>, images: Tensor): Tensor {
  const active = (norm: nn.Norm<Tensor>, x: Tensor) => g.swish(nn.groupNorm(norm, x, x.shape[1]! / GROUP));
  let x = images;
  for (const { conv, norm, mix, after } of Object.values(net.levels)) {
    x = active(norm, nn.conv(conv, x, { stride: 2, pads: 1 }));
    x = g.add(x, active(after, nn.conv(mix, x, { pads: 1 })));
  }
  return g.swish(nn.linear(net.features, g.reshape(x, [x.shape[0]!, -1])));
}

/**
 * Train a classifier; a pure function of examples, settings and seed.
 * @throws the signal's reason when it fires.
 */
export async function trainClassifier(
  examples: Examples,
  settings: ClassifierSettings,
  { engine: engineOptions = {}, signal, onStep }: TrainOptions = {},
): Promise<ClassifierWeights> {
  const { side, questions, steps, batch, seed } = settings;
  const size = examples.images.length / (3 * side * side);
  const parameters = parametersOf(settings);
  const engine = Engine.start(engineOptions);
  try {
    const program = await engine.compile(trainingProgram(settings, parameters));
    const params = initialize(parameters, seed);
    await engine.load({ params, adam: adamState(params) });
    const shuffle = new Shuffle(seed, 'classifier/order', size);
    for (let step = 0; step < steps; step++) {
      signal?.throwIfAborted();
      const rows = shuffle.batch(step, batch);
      const moves = integers({ seed, stream: 'classifier/shift', step }, 0, 2 * batch, 2 * SHIFT + 1);
      const labels = Object.fromEntries(
        questions.map((_, q) => [
          `${q}`,
          int32(
            Int32Array.from(rows, (row) => examples.labels[q]![row]!),
            [batch],
          ),
        ]),
      );
      const images = float32(moved(planesOf(examples.images, rows, side), side, moves), [batch, 3, side, side]);
      const lr = scalar(warmupCosine({ ...settings, warmupSteps: 50 }, step));
      const { loss } = await program.run({ images, labels, lr });
      onStep?.(step + 1, steps, loss!.data[0]!);
    }
    return flatten((await engine.read('params')) as Tree<NDArray>);
  } finally {
    await engine.close();
  }
}

function trainingProgram({ side, questions, batch }: ClassifierSettings, parameters: Net<Parameter>): g.Program {
  const inputs = {
    state: { params: parameters, adam: { step: g.f32(), mean: parameters, square: parameters } },
    images: g.f32(batch, 3, side, side),
    labels: Object.fromEntries(questions.map((_, q) => [`${q}`, g.i32(batch)])),
    lr: g.f32(),
  };
  return g.trace(inputs, ({ state: { params, adam }, images, labels, lr }) => {
    const features = featuresOf(params, images);
    const losses = questions.map(({ answers }, q) => {
      const scores = nn.logSoftmax(nn.linear(params.heads[`${q}`]!, features));
      return g.mul(g.sum(g.mul(scores, g.oneHot(labels[`${q}`]!, answers.length))), -1 / batch);
    });
    const loss = losses.reduce((a, b) => g.add(a, b));
    const { gradients } = clipByGlobalNorm(g.grad(loss, params), 1);
    const next = adamw(params, gradients, adam, lr, ADAM);
    return { state: { params: next.params, adam: next.state }, loss };
  });
}

/** Planes [n, 3, side, side] moved by moves − SHIFT pixels right and down, the border repeated. */
function moved(planes: Float32Array, side: number, moves: ArrayLike<number>): Float32Array {
  const out = new Float32Array(planes.length);
  const clamp = (i: number) => Math.min(side - 1, Math.max(0, i));
  for (let p = 0; p * side * side < planes.length; p++) {
    const [dx, dy] = [moves[2 * Math.floor(p / 3)]! - SHIFT, moves[2 * Math.floor(p / 3) + 1]! - SHIFT];
    for (let y = 0; y < side; y++)
      for (let x = 0; x < side; x++)
        out[(p * side + y) * side + x] = planes[(p * side + clamp(y - dy)) * side + clamp(x - dx)]!;
  }
  return out;
}

export interface Verdict {
  /** [questions, n]: the number of the likeliest answer. */
  readonly answers: readonly Int32Array[];
  /** [n, 128]: what the net saw, for distances between sets of pictures. */
  readonly features: Float32Array;
}

export interface Classifier {
  readonly featureDim: number;
  /** Pictures [n, side, side, 3] bytes. */
  judge(images: Uint8Array): Promise<Verdict>;
}

const JUDGED_TOGETHER = 64;

/**
 * Compile a trained classifier.
 * @throws UserError naming `label` if the weights do not fit.
 */
export async function openClassifier(
  engine: Engine,
  weights: ClassifierWeights,
  settings: Pick<ClassifierSettings, 'side' | 'questions'>,
  label: string,
): Promise<Classifier> {
  const { side, questions } = settings;
  const net = adopt(parametersOf(settings), weights, label);
  const batch = JUDGED_TOGETHER;
  const program = await engine.compile(
    g.trace({ images: g.f32(batch, 3, side, side) }, ({ images }) => {
      const constants = literals(net);
      const features = featuresOf(constants, images);
      const answers = Object.fromEntries(
        questions.map((_, q) => [`${q}`, g.argmax(nn.linear(constants.heads[`${q}`]!, features), 1)]),
      );
      return { features, answers };
    }),
  );
  return {
    featureDim: FEATURES,
    async judge(images) {
      const n = images.length / (3 * side * side);
      const answers = questions.map(() => new Int32Array(n));
      const features = new Float32Array(n * FEATURES);
      for (let start = 0; start < n; start += batch) {
        const rows = Array.from({ length: batch }, (_, i) => Math.min(start + i, n - 1));
        const out = await program.run({ images: float32(planesOf(images, rows, side), [batch, 3, side, side]) });
        const kept = Math.min(batch, n - start);
        answers.forEach((own, q) => {
          own.set((out[`answers.${q}`]!.data as Int32Array).subarray(0, kept), start);
        });
        features.set((out.features!.data as Float32Array).subarray(0, kept * FEATURES), start * FEATURES);
      }
      return { answers, features };
    },
  };
}

/** Share of right answers to each question. */
export const accuracies = (verdict: Verdict, labels: readonly ArrayLike<number>[]): number[] =>
  verdict.answers.map((own, q) => own.filter((answer, i) => answer === labels[q]![i]).length / own.length);
