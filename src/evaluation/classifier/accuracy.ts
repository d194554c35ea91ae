/** A classifier's accuracy on labelled pictures that it has not learned from. */

import { type Classifier, mostLikely } from './classifier.ts';
import type { LabelledPictures } from './train.ts';

/** By head: the share of pictures whose most likely class is theirs. */
export async function heldOutAccuracy(
  classifier: Classifier,
  { count, pixels, labels }: LabelledPictures,
): Promise<Record<string, number>> {
  const { probabilities } = await classifier.classify(pixels);
  return Object.fromEntries(
    classifier.config.heads.map(({ name, classes }) => {
      const answers = mostLikely(probabilities[name]!, classes.length);
      return [name, answers.filter((label, i) => label === labels[name]![i]).length / count];
    }),
  );
}

/** Counts [classes, classes]: row = the requested or true class, column = the class that the classifier sees. */
export function confusionMatrix(truth: ArrayLike<number>, answers: ArrayLike<number>, classes: number): number[][] {
  const counts = Array.from({ length: classes }, () => new Array<number>(classes).fill(0));
  for (let i = 0; i < truth.length; i++) counts[truth[i]!]![answers[i]!]!++;
  return counts;
}
