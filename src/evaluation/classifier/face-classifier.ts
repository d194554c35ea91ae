/** Prompts made of the true attributes of drawn faces, and the classifier that recognises these attributes. */

import fs from 'node:fs';
import path from 'node:path';
import { type FaceAttributes, faceAttributes } from '../../data/sources/faces/attributes.ts';
import { drawFace } from '../../data/sources/faces/drawing.ts';
import type { FabricColor, HairColor } from '../../data/sources/faces/palette.ts';
import { backgroundWords, fabricColorWords, hairColorWords } from '../../data/sources/faces/words.ts';
import type { Engine } from '../../engine/engine.ts';
import { makeFolder } from '../../files/atomic.ts';
import { integers } from '../../random/noise.ts';
import { heldOutAccuracy } from './accuracy.ts';
import { Classifier, mostLikely } from './classifier.ts';
import { faceHeads, faceLabels } from './face-heads.ts';
import { trainClassifier } from './train.ts';

/** Faces that no generator and no CLIP has seen: for the classifier to learn from, for testing it, and for prompts. */
const CLASSIFIER_FACES = { learn: 3_000_000_000, test: 3_200_000_000, request: 3_400_000_000 } as const;
const TRAINING = {
  faces: 4000,
  tested: 500,
  steps: 700,
  batch: 64,
  learningRate: 2e-3,
  shift: 2,
  flip: false,
} as const;
const NETWORK = { channels: 16, features: 96 } as const;

export interface FaceClassifier {
  readonly classifier: Classifier;
  /** By question: share of right answers on drawn faces it has not learned from. */
  readonly accuracy: Readonly<Record<string, number>>;
}

export interface FaceClassifierOptions {
  readonly engine: Engine;
  readonly imageSize: number;
  /** Where the trained classifier is kept. */
  readonly folder: string;
  readonly signal?: AbortSignal | undefined;
  readonly count: (what: string) => (done: number, total: number) => void;
}

/** The classifier for pictures of a size: from its folder, or trained now. */
export async function openFaceClassifier({
  engine,
  imageSize,
  folder,
  signal,
  count,
}: FaceClassifierOptions): Promise<FaceClassifier> {
  const file = path.join(folder, `face-classifier-${imageSize}.safetensors`);
  const config = { size: imageSize, ...NETWORK, heads: [...faceHeads] };
  const test = await labelled(CLASSIFIER_FACES.test, TRAINING.tested, imageSize, signal);
  if (!fs.existsSync(file)) {
    const pictures = await labelled(CLASSIFIER_FACES.learn, TRAINING.faces, imageSize, signal, count('drawing'));
    const onProgress = count('classifier');
    const trained = await trainClassifier(engine, pictures, config, { ...TRAINING, seed: 0, signal, onProgress });
    makeFolder(folder);
    trained.save(file);
  }
  const classifier = await Classifier.load(engine, file);
  return { classifier, accuracy: await heldOutAccuracy(classifier, test) };
}

async function labelled(
  first: number,
  count: number,
  imageSize: number,
  signal: AbortSignal | undefined,
  onProgress?: (done: number, total: number) => void,
) {
  const faces = Array.from({ length: count }, (_, i) => faceAttributes(0, first + i));
  const stride = 3 * imageSize ** 2;
  const pixels = new Uint8Array(count * stride);
  for (const [i, face] of faces.entries()) {
    signal?.throwIfAborted();
    pixels.set((await drawFace(face, imageSize)).data, i * stride);
    onProgress?.(i + 1, count);
  }
  return { count, pixels, labels: faceLabels(faces) };
}

/** A prompt, and the answers that its picture should give. */
export interface Request {
  readonly prompt: string;
  /** By question: the class that the prompt names. */
  readonly attributes: Readonly<Record<string, string>>;
}

/**
 * Prompts for faces no model has seen: the background and two more attributes, chosen at random among those the face
 * has.
 */
export function faceRequests(count: number): Request[] {
  return Array.from({ length: count }, (_, i) => requestFor(faceAttributes(0, CLASSIFIER_FACES.request + i), i));
}

function requestFor(face: FaceAttributes, index: number): Request {
  const { head, eyewear, facialHair, clothes, background } = face;
  const label = (name: string) => faceHeads.find((one) => one.name === name)!.classes[faceLabels([face])[name]![0]!]!;
  const parts: { readonly question: string; readonly words: string }[] = [
    ...(head.kind === 'hair'
      ? [{ question: 'hairColor', words: `with ${colorWord(hairColorWords, head.color)} hair` }]
      : []),
    ...(head.kind === 'hat' ? [{ question: 'head', words: 'wearing a hat' }] : []),
    ...(head.kind === 'bald' ? [{ question: 'head', words: 'who is bald' }] : []),
    ...(eyewear && eyewear.style !== 'eyepatch' ? [{ question: 'eyewear', words: `with ${label('eyewear')}` }] : []),
    ...(facialHair ? [{ question: 'facialHair', words: `with a ${label('facialHair')}` }] : []),
    { question: 'clothesColor', words: `in ${colorWord(fabricColorWords, clothes.color)} clothes` },
  ];
  // The stream keeps its first name, so that the requests stay the same.
  const [first = 0, step = 0] = integers({ seed: 0, stream: 'judge/parts', step: 0 }, index, 2, 60);
  const chosen = [
    ...new Set([first % parts.length, (first + 1 + (step % Math.max(1, parts.length - 1))) % parts.length]),
  ];
  const attributes = ['background', ...chosen.map((part) => parts[part]!.question)];
  return {
    prompt: `a person ${chosen.map((part) => parts[part]!.words).join(' ')} on a ${backgroundWords[background][0]} background`,
    attributes: Object.fromEntries(attributes.map((question) => [question, label(question)])),
  };
}

/** The first word for a colour that no other colour shares. */
function colorWord<C extends HairColor | FabricColor>(table: Readonly<Record<C, readonly string[]>>, color: C): string {
  const others = Object.entries<readonly string[]>(table).filter(([name]) => name !== color);
  const own = table[color].find((word) => others.every(([, words]) => !words.includes(word)));
  return own ?? table[color][0]!;
}

/**
 * For each request the share of its attributes that the classifier recognises, [requests]; `pixels`
 * [requests, size, size, 3].
 */
export async function recognisedShares(
  { classifier }: FaceClassifier,
  requests: readonly Request[],
  pixels: Uint8Array,
): Promise<Float64Array> {
  const { probabilities } = await classifier.classify(pixels);
  const seen = Object.fromEntries(
    faceHeads.map(({ name, classes }) => [name, mostLikely(probabilities[name]!, classes.length)]),
  );
  const classesOf = Object.fromEntries(faceHeads.map(({ name, classes }) => [name, classes]));
  return Float64Array.from(requests, ({ attributes }, i) => {
    const answers = Object.entries(attributes).map(([name, wanted]) => classesOf[name]![seen[name]![i]!] === wanted);
    return answers.filter(Boolean).length / answers.length;
  });
}
