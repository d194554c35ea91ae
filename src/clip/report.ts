/** What a compact CLIP is worth, measured on pairs it has not learned from, through the embedder that everything else uses. */

import type { CaptionedPictures } from './batches.ts';
import { type ClipEmbedder, imageViews } from './embedder.ts';
import { measureRetrieval, type Retrieval, zeroShotAccuracy } from './retrieval.ts';
import { heldOutPairs } from './stage.ts';

export interface ClipReport {
  /** Pairs held out. */
  readonly heldOut: number;
  readonly retrieval: Retrieval;
  /** Where few texts recur, as class names do: the share of pictures that find their own among all. */
  readonly zeroShot?: { readonly classes: number; readonly accuracy: number };
}

/** More different texts than these are descriptions, not classes. */
const MOST_CLASSES = 100;

/** Measure on the held-out pairs, each with its first caption. */
export async function reportClip(clip: ClipEmbedder, pairs: CaptionedPictures): Promise<ClipReport> {
  const held = heldOutPairs(pairs.size);
  const first = pairs.size - held;
  const stride = 3 * pairs.side ** 2;
  const images = await clip.embedImages(imageViews(pairs.images.subarray(first * stride), pairs.side));
  const captions = Array.from({ length: held }, (_, i) => pairs.caption(first + i, 0));
  const classes = [...new Set(captions)];
  const embedded = await clip.embedTexts(classes, { truncate: true });
  const texts = new Float32Array(held * clip.dim);
  captions.forEach((caption, i) => {
    const label = classes.indexOf(caption);
    texts.set(embedded.subarray(label * clip.dim, (label + 1) * clip.dim), i * clip.dim);
  });
  const isClasses = classes.length <= Math.min(MOST_CLASSES, held / 2);
  return {
    heldOut: held,
    retrieval: measureRetrieval(images, texts, clip.dim),
    ...(isClasses && {
      zeroShot: {
        classes: classes.length,
        accuracy: zeroShotAccuracy(images, embedded, (i, label) => captions[i] === classes[label], clip.dim),
      },
    }),
  };
}
