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
import { type LoadOptions, loadAll } from '../data/sources/source.ts';
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

/** Pictures [n, side, side, 3] with the index of each one's class. */
interface Labelled {
  readonly pixels: Uint8Array;
  readonly labels: Uint8Array;
}

/** What was generated for every class in every wording: `count` pictures for each, wording by wording. */
interface Generated {
  readonly images: readonly RgbImage[];
  /** The wording and the class that each picture was requested in. */
  readonly requests: readonly { readonly wording: Wording; readonly index: number }[];
}

/** Generate, classify and compare. */
export async function studyFashion(
  options: FashionOptions,
): Promise<{ report: FashionReport; pictures: FashionPictures }> {
  const { generator, seed, signal, progress } = options;
  const side = generator.recipe.imageSize;
  const train = await readSplit('train', side, { signal, onProgress: progress('reading') });
  const test = await readSplit('test', side, { signal });
  const classifier = await openClassifier(options, train, side);
  const classesOf = async (pixels: Uint8Array) =>
    mostLikely((await classifier.classify(pixels)).probabilities.class!, FASHION_CLASSES.length);
  const testClasses = await classesOf(test.pixels);
  const heldOut = heldOutOf(test, seed, side);
  const back = await inParts(imageViews(heldOut.pixels, side), async (some) =>
    generator.decode(await generator.encode(some)),
  );
  const made = await drawClasses(options);
  const hits = {
    real: recognition(test.labels, testClasses),
    reconstructed: recognition(heldOut.labels, await classesOf(packImages(back))),
    generated: recognition(
      made.requests.map(({ index }) => index),
      await classesOf(packImages(made.images)),
    ),
  };
  return {
    report: {
      classifierAccuracy: hits.real.share(),
      clipZeroShot: await zeroShot(generator.clip, heldOut, side),
      reconstructed: hits.reconstructed.share(),
      recognised: hits.generated.share(),
      byWording: WORDINGS.map((wording) => ({
        ...{ name: wording.name, isKnown: wording.isKnown },
        recognised: hits.generated.share((i) => made.requests[i]!.wording === wording),
      })),
      byClass: FASHION_CLASSES.map((name, index) => ({
        name,
        recognised: hits.generated.shareOf(index),
        real: hits.real.shareOf(index),
        reconstructed: hits.reconstructed.shareOf(index),
      })),
      confusion: hits.generated.confusion,
      nearest: {
        generated: meanDistance(spread(made.images, COMPARED), train.pixels, side),
        unseen: meanDistance(imageViews(heldOut.pixels, side).slice(0, COMPARED), train.pixels, side),
      },
    },
    pictures: picturesOf(made, options.count, train.pixels, side),
  };
}

/** Pictures whose distance to the nearest training picture is measured. */
const COMPARED = 60;
/** Training pictures that are shown beside a generated one. */
const SHOWN_NEIGHBOURS = 4;

async function readSplit(split: 'train' | 'test', side: number, options: LoadOptions): Promise<Labelled> {
  const source = await fashionSource(split);
  const labels = await fashionLabels(split);
  return { pixels: await loadAll(source, side, options), labels };
}

/** The test pictures that neither classifier nor CLIP has learned from. */
function heldOutOf({ pixels, labels }: Labelled, seed: number, side: number): Labelled {
  const rows = [...fashionOrder(seed, labels.length)].slice(FASHION_CLIP_PAIRS);
  return {
    pixels: takeRows(pixels, 3 * side * side, rows),
    labels: Uint8Array.from(rows, (row) => labels[row]!),
  };
}

async function drawClasses({ generator, count, signal, progress }: FashionOptions): Promise<Generated> {
  const requests = WORDINGS.flatMap((wording) => FASHION_CLASSES.map((label, index) => ({ wording, label, index })));
  const made = await generator.generate(
    requests.map(({ wording, label }) => wording.promptFor(label)),
    { count, seed: requests.map((_, i) => 1000 * i), signal, onProgress: progress('sampling') },
  );
  return {
    images: made.map(({ image }) => image),
    requests: made.map((_, i) => requests[Math.floor(i / count)]!),
  };
}

/** How often the class that was due was seen. */
function recognition(due: ArrayLike<number>, seen: ArrayLike<number>) {
  const share = (isCounted: (i: number) => boolean = () => true): number => {
    const counted = Array.from(due, (_, i) => i).filter(isCounted);
    return counted.filter((i) => due[i] === seen[i]).length / counted.length;
  };
  return {
    share,
    shareOf: (index: number) => share((i) => due[i] === index),
    /** [due, seen], counts. */
    confusion: confusionMatrix(due, seen, FASHION_CLASSES.length),
  };
}

/** So many of a list, evenly spread over it. */
const spread = <T>(list: readonly T[], count: number): T[] =>
  Array.from({ length: count }, (_, i) => list[Math.floor((i * list.length) / count)]!);

const meanDistance = (pictures: readonly RgbImage[], known: Uint8Array, side: number): number =>
  pictures.reduce((sum, { data }) => sum + nearestRows(data, known, side, 1)[0]!.distance, 0) / pictures.length;

/** The sheets' pictures. `known` are those of training. */
function picturesOf({ images }: Generated, count: number, known: Uint8Array, side: number): FashionPictures {
  const generated = FASHION_CLASSES.map((_, index) => images.slice(index * count, (index + 1) * count));
  return {
    generated,
    neighbours: generated.map(([picture]) => ({
      picture: picture!,
      nearest: nearestRows(picture!.data, known, side, SHOWN_NEIGHBOURS).map(
        ({ row }) => imageViews(takeRows(known, 3 * side * side, [row]), side)[0]!,
      ),
    })),
  };
}

/** The classifier, from its file or trained now on the true labels of the training pictures. */
async function openClassifier(
  { engine, classifierFile, signal, progress }: FashionOptions,
  { pixels, labels }: Labelled,
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

async function zeroShot(clip: ClipEmbedder, { pixels, labels }: Labelled, side: number): Promise<number> {
  const images = await clip.embedImages(imageViews(pixels, side));
  const classes = await clip.embedTexts(FASHION_CLASSES.map((label) => fashionCaption(label, 0)));
  return zeroShotAccuracy(images, classes, (i, label) => labels[i] === label, clip.dim);
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
