/** Keeping the best of several pictures. */

/** What is compared. */
interface Scored {
  readonly clipScore: number;
  readonly meanClipScore: number;
}

/** Of every `count` pictures the one with the highest CLIP score, the first of equals. */
export async function* bestOfEach<P extends Scored>(
  count: number,
  candidates: AsyncIterable<P>,
): AsyncGenerator<P, void> {
  let best: P | undefined;
  let [sum, seen] = [0, 0];
  for await (const candidate of candidates) {
    if (!best || candidate.clipScore > best.clipScore) best = candidate;
    sum += candidate.clipScore;
    if (++seen < count) continue;
    yield { ...best, meanClipScore: sum / count };
    [best, sum, seen] = [undefined, 0, 0];
  }
}
