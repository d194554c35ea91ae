/**
 * The classifier learns what is there to learn, says so only on pictures it has not seen, and comes back from its file
 * as it was.
 */

import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { startKeepingEngine } from '../../../test/support/keeping-engine.ts';
import type { Engine } from '../../engine/engine.ts';
import { integers } from '../../random/noise.ts';
import { confusionMatrix, heldOutAccuracy } from './accuracy.ts';
import { Classifier, mostLikely } from './classifier.ts';
import { type LabelledPictures, trainClassifier } from './train.ts';

const SIZE = 12;
const config = {
  size: SIZE,
  channels: 8,
  features: 16,
  heads: [
    { name: 'color', classes: ['red', 'green', 'blue'] },
    { name: 'shape', classes: ['upright', 'lying'] },
  ],
};
const training = { seed: 3, steps: 120, batch: 16, learningRate: 3e-3, shift: 1, flip: true };
const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'classifier-'));
let engine: Engine;
let classifier: Classifier;

/** Bars on noise: one of three colours, upright or lying. */
function bars(count: number, stream: string): LabelledPictures {
  const pixels = new Uint8Array(count * SIZE * SIZE * 3);
  const [color, shape] = [new Int32Array(count), new Int32Array(count)];
  for (let n = 0; n < count; n++) {
    const key = { seed: 1, stream, step: 0 };
    const noise = integers(key, n, SIZE * SIZE * 3 + 3, 90);
    const [c, s, at] = [noise[0]! % 3, noise[1]! % 2, 3 + (noise[2]! % 5)];
    color[n] = c;
    shape[n] = s;
    for (let i = 0; i < SIZE * SIZE * 3; i++) pixels[n * SIZE * SIZE * 3 + i] = noise[3 + i]!;
    for (let along = 0; along < SIZE; along++) {
      const [x, y] = s === 0 ? [at, along] : [along, at];
      pixels[3 * ((n * SIZE + y) * SIZE + x) + c] = 255;
    }
  }
  return { count, pixels, labels: { color, shape } };
}

beforeAll(async () => {
  engine = startKeepingEngine();
  classifier = await trainClassifier(engine, bars(240, 'train'), config, training);
});
afterAll(async () => {
  await engine.close();
  fs.rmSync(folder, { recursive: true });
});

it('tells colours and shapes of pictures it has not seen', async () => {
  const accuracy = await heldOutAccuracy(classifier, bars(100, 'test'));
  expect(accuracy.color).toBeGreaterThan(0.9);
  expect(accuracy.shape).toBeGreaterThan(0.9);
});

it('gives probabilities and features of any number of pictures, whatever stands beside them', async () => {
  const { pixels } = bars(70, 'test');
  const { probabilities, features } = await classifier.classify(pixels);
  expect(probabilities.color).toHaveLength(70 * 3);
  expect(features).toHaveLength(70 * 16);
  for (let row = 0; row < 70; row++) {
    const sum = probabilities.color!.subarray(3 * row, 3 * row + 3).reduce((a, b) => a + b, 0);
    expect(sum).toBeCloseTo(1, 5);
  }
  const last = await classifier.classify(pixels.subarray(69 * SIZE * SIZE * 3));
  last.probabilities.shape!.forEach((p, k) => {
    expect(p).toBeCloseTo(probabilities.shape![2 * 69 + k]!, 5);
  });
});

it('is the same for the same seed, and for another seed another', async () => {
  const short = { ...training, steps: 5 };
  const { pixels } = bars(8, 'test');
  const classified = async (seed: number) => {
    const trained = await trainClassifier(engine, bars(64, 'train'), config, { ...short, seed });
    return (await trained.classify(pixels)).features;
  };
  const first = await classified(1);
  expect(await classified(1)).toEqual(first);
  expect(await classified(2)).not.toEqual(first);
});

it('comes back from its file as it was', async () => {
  const file = path.join(folder, 'classifier.safetensors');
  classifier.save(file, { data: 'bars' });
  const loaded = await Classifier.load(engine, file);
  const { pixels } = bars(5, 'test');
  expect(await loaded.classify(pixels)).toEqual(await classifier.classify(pixels));
  expect(loaded.config).toEqual(config);
});

it('refuses labels that name no class, and pictures without labels', async () => {
  const { count, pixels, labels } = bars(20, 'train');
  const wrong = { ...labels, color: new Int32Array(count).fill(3) };
  await expect(trainClassifier(engine, { count, pixels, labels: wrong }, config, training)).rejects.toThrow(
    'picture 0 has label 3 for color, which has 3 classes',
  );
  const missing = { color: labels.color! };
  await expect(trainClassifier(engine, { count, pixels, labels: missing }, config, training)).rejects.toThrow(
    '0 labels for shape, 20 pictures',
  );
});

it('counts what was said of what was asked', () => {
  const said = mostLikely(Float32Array.of(0.1, 0.9, 0.5, 0.5, 0.8, 0.2), 2);
  expect([...said]).toEqual([1, 0, 0]);
  expect(confusionMatrix([1, 1, 0], said, 2)).toEqual([
    [1, 0],
    [1, 1],
  ]);
});
