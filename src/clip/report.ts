/**
 * The quality of a compact CLIP, measured on pairs it has not learned from, through the embedder that everything else
 * uses.
 */

import { type ClipEmbedder, imageViews } from '../embedding/embedder.ts';
import type { CaptionedPictures } from './batches.ts';
import { measureRetrieval, type Retrieval, zeroShotAccuracy } from './retrieval.ts';
import { heldOutPairs } from './stage.ts';

/** Measurements of a compact CLIP. */
export interface ClipReport {
  /** Pairs held out. */
  readonly heldOut: number;
  readonly retrieval: Retrieval;
  /** `retrieval` on as many pairs that it has learned from: where it is far better, they are memorised. */
  readonly seen: Retrieval;
  /** Whether all held-out pictures have the same embedding: retrieval means nothing then. */
  readonly collapsed?: true;
  /** Where few texts recur, as class names do: the share of pictures that find their own among all. */
  readonly zeroShot?: { readonly classes: number; readonly accuracy: number };
}

/** More different texts than these are descriptions, not classes. */
const MOST_CLASSES = 100;

/** Measure on the held-out pairs, each with its first caption, and on as many of the others. */
export async function reportClip(clip: ClipEmbedder, pairs: CaptionedPictures): Promise<ClipReport> {
  const heldOut = heldOutPairs(pairs.size);
  const { retrieval, zeroShot, isFlat } = await measure(clip, pairs, pairs.size - heldOut, heldOut);
  const { retrieval: seen } = await measure(clip, pairs, 0, Math.min(heldOut, pairs.size - heldOut));
  return { heldOut, retrieval, seen, ...(isFlat && { collapsed: true }), ...(zeroShot && { zeroShot }) };
}

/** Below so many times the share that guessing gives, a CLIP has learned nothing. */
const [NEAR_CHANCE, CLASSES_NEAR_CHANCE] = [3, 1.3];
/** From this ratio of training pairs found to held-out pairs found, training pairs are memorised. */
const BY_HEART = 4;

/** What is wrong with a CLIP, in words, or undefined if it is of use. Chance is one in as many texts as there are. */
export function clipFault({ retrieval, seen, zeroShot, collapsed }: ClipReport): string | undefined {
  if (collapsed) return 'This CLIP has collapsed: all pictures have the same embedding.';
  const mean = ({ imageToText, textToImage }: Retrieval) => (imageToText.at1 + textToImage.at1) / 2;
  // Where texts recur, as names of classes do, the share of pictures that find their own says more.
  const [found, chance, enough] = zeroShot
    ? [zeroShot.accuracy, 1 / zeroShot.classes, CLASSES_NEAR_CHANCE]
    : [mean(retrieval), 1 / retrieval.among, NEAR_CHANCE];
  if (retrieval.among < FEWEST || found >= enough * chance) return undefined;
  const percent = (share: number) => `${(100 * share).toFixed(share < 0.1 ? 1 : 0)} %`;
  const heart =
    mean(seen) > BY_HEART * Math.max(found, 1 / seen.among)
      ? ` It has learned its own pairs by heart (${percent(mean(seen))}).`
      : '';
  return `This CLIP knows hardly more than chance: it finds ${percent(found)} of the held-out pairs, and guessing ${percent(chance)}.${heart}`;
}

/** Fewer held-out pairs than this do not tell what was learned from chance. */
const FEWEST = 10;

/** A sentence where too few pairs are held out to measure a CLIP; undefined where they are enough. */
export const clipDoubt = ({ heldOut }: ClipReport): string | undefined =>
  heldOut < FEWEST
    ? `${heldOut} held-out pairs do not tell how good this CLIP is: a tenth is held out, so give it ${10 * FEWEST} captioned pictures or more`
    : undefined;

/** A CLIP that finds training pairs so much more often than held-out ones, and by such a share, has memorised some. */
const [OFTENER, BY_SHARE] = [1.5, 0.2];

/** A sentence where a useful CLIP has memorised a part of its pairs; undefined where it has not. */
export function clipOverfitting(report: ClipReport): string | undefined {
  if (clipFault(report) !== undefined || report.retrieval.among < FEWEST) return undefined;
  const mean = ({ imageToText, textToImage }: Retrieval) => (imageToText.at1 + textToImage.at1) / 2;
  const [own, heldOut] = [mean(report.seen), mean(report.retrieval)];
  if (own < OFTENER * heldOut || own - heldOut < BY_SHARE) return undefined;
  return `This CLIP has learned part of its pairs by heart: of those it finds ${(100 * own).toFixed(0)} %, of held-out ones ${(100 * heldOut).toFixed(0)} %; more captioned pictures help, longer training does not.`;
}

/** Pairs `first` and up, `count` of them. */
async function measure(clip: ClipEmbedder, pairs: CaptionedPictures, first: number, count: number) {
  const stride = 3 * pairs.side ** 2;
  const bytes = pairs.images.subarray(first * stride, (first + count) * stride);
  const images = await clip.embedImages(imageViews(bytes, pairs.side));
  const captions = Array.from({ length: count }, (_, i) => pairs.caption(first + i, 0));
  const classes = [...new Set(captions)];
  const embedded = await clip.embedTexts(classes, { truncate: true });
  const texts = new Float32Array(count * clip.dim);
  captions.forEach((caption, i) => {
    const label = classes.indexOf(caption);
    texts.set(embedded.subarray(label * clip.dim, (label + 1) * clip.dim), i * clip.dim);
  });
  const isClasses = classes.length <= Math.min(MOST_CLASSES, count / 2);
  return {
    retrieval: measureRetrieval(images, texts, clip.dim),
    isFlat: count > 1 && images.every((x, i) => Math.abs(x - images[i % clip.dim]!) < 1e-5),
    ...(isClasses && {
      zeroShot: {
        classes: classes.length,
        accuracy: zeroShotAccuracy(images, embedded, (i, label) => captions[i] === classes[label], clip.dim),
      },
    }),
  };
}
