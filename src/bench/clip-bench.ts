/**
 * How well a generator could follow prompts under a CLIP of faces: the ceiling of prompt-following. For each prompt the
 * nearest of many unseen real faces are retrieved, and a classifier that knows nothing of the CLIP looks at them.
 */

import { finish } from '../base/steps.ts';
import { measureRetrieval } from '../clip/retrieval.ts';
import { facePairs, facesSource } from '../data/sources/faces/source.ts';
import { loadAll } from '../data/sources/source.ts';
import type { ClipEmbedder } from '../embedding/embedder.ts';
import { imageViews } from '../embedding/embedder.ts';
import {
  type AttributeAccuracy,
  attributeAccuracy,
  attributePrompts,
  bestRows,
  type Seen,
  type Wording,
} from '../evaluation/attribute-prompts.ts';
import { mostLikely } from '../evaluation/classifier/classifier.ts';
import type { FaceClassifier } from '../evaluation/classifier/face-classifier.ts';
import { faceHeads } from '../evaluation/classifier/face-heads.ts';
import { frechetDistance } from '../evaluation/feature-distance.ts';

export interface ClipBench {
  readonly prompts: number;
  readonly faces: number;
  /** Faces retrieved for a prompt. */
  readonly nearest: number;
  /** By wording: what the nearest faces show. */
  readonly ceiling: Readonly<Record<Wording, AttributeAccuracy>>;
  /** What the best faces show, as the classifier sees them: no CLIP could do better. */
  readonly best: AttributeAccuracy;
  /** Share of captions whose own picture is the nearest of 100, and of pictures whose own caption is. */
  readonly textAt1: number;
  readonly imageAt1: number;
  /** ‖mean image embedding − mean text embedding‖ of unit vectors. */
  readonly gap: number;
  /** `distributionGap` of the same pictures and captions. */
  readonly distributionGap: number;
}

export interface ClipBenchOptions {
  readonly clip: ClipEmbedder;
  readonly classifier: FaceClassifier['classifier'];
  readonly prompts: number;
  readonly faces: number;
  readonly nearest: number;
  /** Where the unseen faces begin. */
  readonly first: number;
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((done: number, total: number) => void) | undefined;
}

export async function benchClip(options: ClipBenchOptions): Promise<ClipBench> {
  const { clip, classifier, prompts: count, faces, nearest: k, first, signal, onProgress } = options;
  const { size } = classifier.config;
  const pixels = await loadAll(facesSource({ seed: 0, count: faces, offset: first }), size, { signal, onProgress });
  const images = await clip.embedImages(imageViews(pixels, size));
  const { probabilities } = await classifier.classify(pixels);
  const seen: Seen = Object.fromEntries(
    faceHeads.map(({ name, classes }) => [
      name,
      Array.from(mostLikely(probabilities[name]!, classes.length), (label) => classes[label]!),
    ]),
  );
  const ceiling = async (wording: Wording) => {
    const prompts = attributePrompts(count, wording);
    const texts = await clip.embedTexts(prompts.map(({ prompt }) => prompt));
    return attributeAccuracy(prompts, nearestRows(texts, images, clip.dim, k), seen);
  };
  const pairs = facePairs({ seed: 0, count: faces, offset: first });
  const captions = await clip.embedTexts(
    Array.from({ length: faces }, (_, i) => pairs.caption(i, 0)),
    { truncate: true },
  );
  const { gap, textToImage, imageToText } = measureRetrieval(images, captions, clip.dim);
  const prompts = attributePrompts(count, 'known');
  return {
    ...{ prompts: count, faces, nearest: k },
    ceiling: { known: await ceiling('known'), 'held-out': await ceiling('held-out') },
    best: attributeAccuracy(prompts, bestRows(prompts, seen, k), seen),
    ...{ textAt1: textToImage.at1, imageAt1: imageToText.at1, gap },
    distributionGap: distributionGap(images, captions, clip.dim),
  };
}

/** For each query the `k` rows of the largest dot product, nearest first; both [n, dim]. */
export function nearestRows(queries: Float32Array, rows: Float32Array, dim: number, k: number): number[][] {
  const count = rows.length / dim;
  return Array.from({ length: queries.length / dim }, (_, i) => {
    const query = queries.subarray(i * dim, (i + 1) * dim);
    const scores = new Float64Array(count);
    for (let row = 0; row < count; row++)
      for (let d = 0; d < dim; d++) scores[row]! += query[d]! * rows[row * dim + d]!;
    return Array.from({ length: count }, (_, row) => row)
      .sort((a, b) => scores[b]! - scores[a]!)
      .slice(0, k);
  });
}

/**
 * What is left between two clouds of embeddings [n, dim] once each has its mean at the origin and a mean squared length
 * of 1: the square root of the Fréchet distance, tr A + tr B − 2 tr (A^½ B A^½)^½ with covariances A and B, each
 * divided by its trace. 0 for equal shapes, at most √2 for clouds in directions that have nothing in common.
 */
export function distributionGap(a: Float32Array, b: Float32Array, dim: number): number {
  return Math.sqrt(Math.max(0, finish(frechetDistance(standardised(a, dim), standardised(b, dim), dim))));
}

function standardised(rows: Float32Array, dim: number): Float64Array {
  const count = rows.length / dim;
  const mean = new Float64Array(dim);
  for (let i = 0; i < rows.length; i++) mean[i % dim]! += rows[i]! / count;
  const centred = Float64Array.from(rows, (value, i) => value - mean[i % dim]!);
  const scale = Math.sqrt(count / centred.reduce((sum, value) => sum + value * value, 0));
  return centred.map((value) => value * scale);
}
