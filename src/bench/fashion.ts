/**
 * The study of Fashion-MNIST: does a generator that was trained without captions draw the class that the prompt names?
 * A classifier that has learned from true labels recognises classes; it teaches the generator nothing.
 */

import fs from 'node:fs';
import { takeRows } from '../base/rows.ts';
import { zeroShotAccuracy } from '../clip/retrieval.ts';
import { packImages, type RgbImage } from '../data/pictures/image.ts';
import { type FashionClass, fashionCaption } from '../data/sources/fashion-captions.ts';
import { FASHION_CLASSES, fashionLabels, fashionSource } from '../data/sources/fashion-mnist.ts';
import { FASHION_CLIP_PAIRS, fashionOrder } from '../data/sources/pairs.ts';
import { loadAll } from '../data/sources/source.ts';
import type { ClipEmbedder } from '../embedding/embedder.ts';
import { imageViews } from '../embedding/embedder.ts';
import type { Engine } from '../engine/engine.ts';
import { confusionMatrix } from '../evaluation/classifier/accuracy.ts';
import { Classifier, mostLikely } from '../evaluation/classifier/classifier.ts';
import { trainClassifier } from '../evaluation/classifier/train.ts';
import type { Generator } from '../generation/generator.ts';

/** A wording of prompts for a class. */
export interface Wording {
  readonly name: string;
  /** Whether the CLIP has learned from such captions. */
  readonly isKnown: boolean;
  promptFor(label: FashionClass): string;
}

const ARTICLE = /^[aeiou]/i;
const nounOf = (label: FashionClass): string => label.toLowerCase();
const article = (noun: string): string => (ARTICLE.test(noun) ? 'an' : 'a');

/** Two wordings of the CLIP's captions, and three that it has never read. */
const WORDINGS: readonly Wording[] = [
  { name: 'a sneaker', isKnown: true, promptFor: (label) => fashionCaption(label, 0) },
  { name: 'a photo of a sneaker', isKnown: true, promptFor: (label) => fashionCaption(label, 1) },
  { name: 'sneaker', isKnown: false, promptFor: nounOf },
  { name: 'i see a sneaker', isKnown: false, promptFor: (label) => `i see ${article(label)} ${nounOf(label)}` },
  { name: 'the best sneaker', isKnown: false, promptFor: (label) => `the best ${nounOf(label)}` },
];

const CLASSIFIER = { channels: 24, features: 128, heads: [{ name: 'class', classes: FASHION_CLASSES }] } as const;
const CLASSIFIER_TRAINING = { seed: 0, steps: 2500, batch: 64, learningRate: 2e-3, shift: 1, flip: false } as const;

export interface FashionOptions {
  readonly generator: Generator;
  readonly engine: Engine;
  /** Where the classifier is kept. */
  readonly classifierFile: string;
  /** Pictures of each class and wording. */
  readonly count: number;
  readonly seed: number;
  readonly signal: AbortSignal;
  readonly progress: (what: string) => (done: number, total: number) => void;
}

export interface FashionReport {
  /** Of the classifier, on the 10,000 test pictures, of which it has seen none. */
  readonly classifierAccuracy: number;
  /** Of the CLIP, on the 2,000 test pictures it has not learned from, among the ten class names. */
  readonly clipZeroShot: number;
  /**
   * Share of the 2,000 whose class the classifier still recognises after the tokenizer: an upper bound for the
   * generator.
   */
  readonly reconstructed: number;
  /** Share of generated pictures in which the classifier sees the requested class. */
  readonly recognised: number;
  readonly byWording: readonly { readonly name: string; readonly isKnown: boolean; readonly recognised: number }[];
  readonly byClass: readonly {
    readonly name: string;
    readonly recognised: number;
    /** The classifier on real test pictures of the class. */
    readonly real: number;
    readonly reconstructed: number;
  }[];
  /** [requested, seen], counts. */
  readonly confusion: readonly (readonly number[])[];
  /**
   * Root mean square distance, in levels of 255, to the nearest of the 60,000 pictures it learned from: of generated
   * pictures, and of real ones it has not seen.
   */
  readonly nearest: { readonly generated: number; readonly unseen: number };
}

export interface FashionPictures {
  /** By class: what was generated for the first wording. */
  readonly generated: readonly (readonly RgbImage[])[];
  /** One generated picture of each class, and its nearest training pictures. */
  readonly neighbours: readonly { readonly picture: RgbImage; readonly nearest: readonly RgbImage[] }[];
}

/** Generate, classify and compare. */
export async function studyFashion(
  options: FashionOptions,
): Promise<{ report: FashionReport; pictures: FashionPictures }> {
  const { generator, count, seed, signal, progress } = options;
  const side = generator.recipe.imageSize;
  const [train, test] = [await fashionSource('train'), await fashionSource('test')];
  const [trainLabels, testLabels] = [await fashionLabels('train'), await fashionLabels('test')];
  const known = await loadAll(train, side, { signal, onProgress: progress('reading') });
  const unseen = await loadAll(test, side, { signal });
  const classifier = await openClassifier(options, known, trainLabels, side);
  const classesOf = async (pixels: Uint8Array) =>
    mostLikely((await classifier.classify(pixels)).probabilities.class!, FASHION_CLASSES.length);
  const testClasses = await classesOf(unseen);

  // Test pictures that neither classifier nor CLIP has learned from.
  const rows = [...fashionOrder(seed, test.size)].slice(FASHION_CLIP_PAIRS);
  const heldPixels = takeRows(unseen, 3 * side * side, rows);
  const heldLabels = rows.map((row) => testLabels[row]!);
  const back = await inParts(imageViews(heldPixels, side), async (some) =>
    generator.decode(await generator.encode(some)),
  );
  const reconstructedClasses = await classesOf(packImages(back));

  const requests = WORDINGS.flatMap((wording) => FASHION_CLASSES.map((label, index) => ({ wording, label, index })));
  const made = await generator.generate(
    requests.map(({ wording, label }) => wording.promptFor(label)),
    { count, seed: requests.map((_, i) => 1000 * i), signal, onProgress: progress('sampling') },
  );
  const images = made.map(({ image }) => image);
  const truth = made.map((_, i) => requests[Math.floor(i / count)]!.index);
  const seen = await classesOf(packImages(images));
  const hit = (which: (i: number) => boolean) =>
    share(truth.map((label, i) => (which(i) ? label === seen[i] : undefined)));

  const sample = FASHION_CLASSES.map((_, index) => images[index * count]!);
  const found = sample.map((picture) => nearestRows(picture.data, known, side, 4));
  const distances = (pictures: readonly Uint8Array[]) =>
    pictures.reduce((sum, data) => sum + nearestRows(data, known, side, 1)[0]!.distance, 0) / pictures.length;
  const compared = Array.from({ length: 60 }, (_, i) => i);
  return {
    report: {
      classifierAccuracy: share([...testClasses].map((label, i) => label === testLabels[i])),
      clipZeroShot: await zeroShot(generator.clip, heldPixels, heldLabels, side),
      reconstructed: share(heldLabels.map((label, i) => label === reconstructedClasses[i])),
      recognised: hit(() => true),
      byWording: WORDINGS.map(({ name, isKnown }, w) => ({
        name,
        isKnown,
        recognised: hit((i) => Math.floor(i / (count * FASHION_CLASSES.length)) === w),
      })),
      byClass: FASHION_CLASSES.map((name, index) => ({
        name,
        recognised: hit((i) => truth[i] === index),
        real: share([...testLabels].map((label, i) => (label === index ? testClasses[i] === index : undefined))),
        reconstructed: share(
          heldLabels.map((label, i) => (label === index ? reconstructedClasses[i] === index : undefined)),
        ),
      })),
      confusion: confusionMatrix(truth, seen, FASHION_CLASSES.length),
      nearest: {
        generated: distances(compared.map((i) => images[Math.floor((i * images.length) / compared.length)]!.data)),
        unseen: distances(compared.map((i) => heldPixels.subarray(i * 3 * side * side, (i + 1) * 3 * side * side))),
      },
    },
    pictures: {
      generated: FASHION_CLASSES.map((_, index) => images.slice(index * count, (index + 1) * count)),
      neighbours: sample.map((picture, i) => ({
        picture,
        nearest: found[i]!.map(({ row }) => imageViews(takeRows(known, 3 * side * side, [row]), side)[0]!),
      })),
    },
  };
}

/** The classifier, from its file or trained now on the true labels of the training pictures. */
async function openClassifier(
  { engine, classifierFile, signal, progress }: FashionOptions,
  pixels: Uint8Array,
  labels: Uint8Array,
  side: number,
): Promise<Classifier> {
  if (!fs.existsSync(classifierFile)) {
    const pictures = { count: labels.length, pixels, labels: { class: labels } };
    const config = { ...CLASSIFIER, size: side, heads: [...CLASSIFIER.heads] };
    const trained = await trainClassifier(engine, pictures, config, {
      ...CLASSIFIER_TRAINING,
      signal,
      onProgress: progress('classifier'),
    });
    trained.save(classifierFile);
  }
  return Classifier.load(engine, classifierFile);
}

async function zeroShot(
  clip: ClipEmbedder,
  pixels: Uint8Array,
  labels: readonly number[],
  side: number,
): Promise<number> {
  const images = await clip.embedImages(imageViews(pixels, side));
  const classes = await clip.embedTexts(FASHION_CLASSES.map((label) => fashionCaption(label, 0)));
  return zeroShotAccuracy(images, classes, (i, label) => labels[i] === label, clip.dim);
}

/** Of those that are not undefined, the share that is true. */
function share(answers: readonly (boolean | undefined)[]): number {
  const given = answers.filter((answer) => answer !== undefined);
  return given.filter(Boolean).length / given.length;
}

async function inParts(
  images: readonly RgbImage[],
  work: (some: readonly RgbImage[]) => Promise<RgbImage[]>,
): Promise<RgbImage[]> {
  const results: RgbImage[] = [];
  for (let start = 0; start < images.length; start += 256)
    results.push(...(await work(images.slice(start, start + 256))));
  return results;
}

/** The `count` rows of `pixels` that are nearest to a grey picture, by its first channel. */
function nearestRows(picture: Uint8Array, pixels: Uint8Array, side: number, count: number) {
  const plane = side * side;
  const rows = pixels.length / (3 * plane);
  const best: { row: number; distance: number }[] = [];
  for (let row = 0; row < rows; row++) {
    let squared = 0;
    const limit = best.length < count ? Number.POSITIVE_INFINITY : best.at(-1)!.distance ** 2 * plane;
    for (let i = 0; i < plane && squared < limit; i++)
      squared += (picture[3 * i]! - pixels[3 * (row * plane + i)]!) ** 2;
    if (squared >= limit) continue;
    best.push({ row, distance: Math.sqrt(squared / plane) });
    best.sort((a, b) => a.distance - b.distance);
    if (best.length > count) best.pop();
  }
  return best;
}
