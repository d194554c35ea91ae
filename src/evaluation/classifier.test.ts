/** The judge learns what it is asked, answers each question by itself, and is the same from the same seed. */

import { afterAll, expect, it } from 'vitest';
import { Engine } from '../runtime/engine.ts';
import { accuracies, type Examples, openClassifier, trainClassifier } from './classifier.ts';

const SIDE = 16;
const questions = [
  { name: 'colour', answers: ['red', 'green', 'blue'] },
  { name: 'half', answers: ['left', 'right'] },
] as const;

/** A grey picture with one coloured half; the shade of grey says nothing. */
function examples(count: number, first: number): Examples {
  const labels = [0, 1].map((q) =>
    Int32Array.from({ length: count }, (_, i) => Math.imul(first + i, 0x9e3779b1 >>> (5 * q)) >>> 24),
  );
  const own = [labels[0]!.map((x) => x % 3), labels[1]!.map((x) => x % 2)];
  const images = Uint8Array.from({ length: count * SIDE * SIDE * 3 }, (_, at) => {
    const [channel, column, n] = [at % 3, Math.floor(at / 3) % SIDE, Math.floor(at / (3 * SIDE * SIDE))];
    const isOn = column < SIDE / 2 === (own[1]![n] === 0);
    return isOn ? (channel === own[0]![n] ? 220 : 30) : (Math.imul(n + first, 77) >>> 3) % 256;
  });
  return { images, labels: own };
}

const settings = { side: SIDE, questions, steps: 40, batch: 24, learningRate: 3e-3, seed: 1 };
const engine = Engine.start({ threads: 1 });
afterAll(() => engine.close());

it('answers both questions on pictures it has not seen', async () => {
  const losses: number[] = [];
  const options = {
    engine: { threads: 1 },
    onStep: (_done: number, _total: number, loss: number) => losses.push(loss),
  };
  const weights = await trainClassifier(examples(300, 0), settings, options);
  expect(losses.length).toBe(40);
  const judge = await openClassifier(engine, weights, settings, 'test');
  const unseen = examples(100, 5000);
  const verdict = await judge.judge(unseen.images);
  for (const share of accuracies(verdict, unseen.labels)) expect(share).toBeGreaterThan(0.95);
  expect(verdict.features.length).toBe(100 * judge.featureDim);
  // In whatever company a picture is judged, the verdict is the same.
  const alone = await judge.judge(unseen.images.subarray(70 * SIDE * SIDE * 3, 71 * SIDE * SIDE * 3));
  expect(alone.answers.map((own) => own[0])).toEqual(verdict.answers.map((own) => own[70]));
  const again = await trainClassifier(examples(300, 0), { ...settings, steps: 3 }, { engine: { threads: 1 } });
  const once = await trainClassifier(examples(300, 0), { ...settings, steps: 3 }, { engine: { threads: 1 } });
  expect(again).toEqual(once);
});
