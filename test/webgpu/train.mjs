/** Trains a tiny model on a device. */

import { float32, int32 } from '../../dist/base/ndarray.js';
import { Engine } from '../../dist/engine/engine.js';
import * as g from '../../dist/graph/index.js';

/** What 50 steps show, 5 show: rounding, and where the state lies from the first step on. */
const STEPS = 5;
const BATCH = 4;
const SIZE = 8;
const TOKENS = (SIZE / 2) ** 2;
const DIM = 16;
const HEADS = 2;
const CLASSES = 5;
const WORDS = 7;

/** Numbers in [-1, 1) without a pattern. */
function noise(shape, seed, scale = 1) {
  const size = shape.reduce((a, b) => a * b, 1);
  const one = (_, i) => {
    const spread = Math.abs(Math.sin(12.9898 * (i + 1) + 78.233 * seed)) * 43758.5453;
    return scale * (2 * (spread - Math.floor(spread)) - 1);
  };
  return float32(Float32Array.from({ length: size }, one), shape);
}

let seeds = 0;
const weight = (...shape) => noise(shape, ++seeds, 1.5 / Math.sqrt(shape.slice(1).reduce((a, b) => a * b, 1)));
const linear = (from, to) => ({ weight: weight(from, to), bias: float32(new Float32Array(to), [to]) });

const params = {
  convIn: weight(DIM / 2, 3, 3, 3),
  convDown: weight(DIM, DIM / 2, 3, 3),
  words: weight(WORDS, DIM),
  scale: float32(new Float32Array(DIM).fill(1), [DIM]),
  query: linear(DIM, DIM),
  key: linear(DIM, DIM),
  value: linear(DIM, DIM),
  mlpIn: linear(DIM, 2 * DIM),
  mlpOut: linear(2 * DIM, DIM),
  head: linear(DIM, CLASSES),
};

const apply = (x, { weight, bias }) => g.add(g.matmul(x, weight), bias);

function attention(x, p) {
  const split = (t) => g.transpose(g.reshape(t, [BATCH, TOKENS, HEADS, DIM / HEADS]), [0, 2, 1, 3]);
  const [q, k, v] = [p.query, p.key, p.value].map((layer) => split(apply(x, layer)));
  const scores = g.softmax(g.mul(g.matmul(q, g.transpose(k, [0, 1, 3, 2])), Math.sqrt(HEADS / DIM)));
  return g.reshape(g.transpose(g.matmul(scores, v), [0, 2, 1, 3]), [BATCH, TOKENS, DIM]);
}

/** Logits [batch, classes] of images [batch, 3, 8, 8] and a word each: convolutions, an embedding, one transformer block. */
function model(p, images, words) {
  const wide = g.swish(g.conv2d(images, p.convIn, { pads: 1 }));
  const down = g.conv2d(wide, p.convDown, { stride: 2, pads: [0, 0, 1, 1] });
  const tokens = g.transpose(g.reshape(down, [BATCH, DIM, TOKENS]), [0, 2, 1]);
  const x = g.add(tokens, g.reshape(g.gather(p.words, words), [BATCH, 1, DIM]));
  const attended = g.add(x, attention(g.mul(g.standardize(x, 1e-5), p.scale), p));
  const hidden = g.swish(apply(g.standardize(attended, 1e-5), p.mlpIn), 1.702);
  return apply(g.mean(g.add(attended, apply(hidden, p.mlpOut)), 1), p.head);
}

function crossEntropy(logits, oneHot) {
  const shifted = g.sub(logits, g.stopGradient(g.max(logits, -1, true)));
  const logProbabilities = g.sub(shifted, g.log(g.sum(g.exp(shifted), -1, true)));
  return g.mul(g.sum(g.mul(logProbabilities, oneHot)), -1 / BATCH);
}

const mapTrees = (fn, tree, ...others) =>
  'dtype' in tree
    ? fn(tree, ...others)
    : Object.fromEntries(Object.keys(tree).map((key) => [key, mapTrees(fn, tree[key], ...others.map((t) => t[key]))]));

/** AdamW without bias correction, which is enough here. */
function update({ params: p, first, second }, gradients) {
  const m = mapTrees((old, dp) => g.add(g.mul(old, 0.9), g.mul(dp, 0.1)), first, gradients);
  const v = mapTrees((old, dp) => g.add(g.mul(old, 0.95), g.mul(g.square(dp), 0.05)), second, gradients);
  const step = (w, a, b) => g.sub(g.mul(w, 1 - 1e-4), g.div(g.mul(a, 0.01), g.add(g.sqrt(b), 1e-4)));
  return { params: mapTrees(step, p, m, v), first: m, second: v };
}

const zeros = mapTrees(({ shape, data }) => float32(new Float32Array(data.length), shape), params);
const state = { params, first: zeros, second: zeros };
const batch = (step) => ({
  images: noise([BATCH, 3, SIZE, SIZE], 1000 + (step % 2)),
  words: int32(
    Array.from({ length: BATCH }, (_, i) => (i * i + step) % WORDS),
    [BATCH],
  ),
  oneHot: float32(
    Array.from({ length: BATCH * CLASSES }, (_, i) => Number(i % CLASSES === Math.floor(i / CLASSES))),
    [BATCH, CLASSES],
  ),
});

/** Losses, where the state lies after the first step, and what of it is read back at the end. */
export async function train(device) {
  const engine = Engine.start({ device, threads: 1 });
  const training = await engine.compile(
    g.trace({ state, ...batch(0) }, ({ state, images, words, oneHot }) => {
      const loss = crossEntropy(model(state.params, images, words), oneHot);
      return { state: update(state, g.grad(loss, state.params)), loss };
    }),
  );
  await engine.load(state);
  const losses = [];
  let locations;
  for (let step = 0; step < STEPS; step++) {
    losses.push((await training.run(batch(step))).loss.data[0]);
    locations ??= await engine.locations();
  }
  const head = await engine.read('params.head');
  await engine.close();
  return { losses, locations, head: [...head.bias.data] };
}
