/**
 * Encoding over several ranks: rank 0 lists what is missing, each rank encodes a batch of a round, and rank 0 keeps
 * what all have made, in the order in which it would have made it alone.
 */

import { Interrupted } from '../../base/errors.ts';
import { bytesOf } from '../../base/ndarray.ts';
import type { View } from '../../data/cache/reader.ts';
import { imageViews } from '../../embedding/embedder.ts';
import { type Ranks, shared } from '../../mpi/ranks.ts';
import type { Watch } from '../../stage/context.ts';
import {
  allViews,
  batchesOf,
  type Encodable,
  type Encoders,
  isMissingFrom,
  type LatentCache,
  noiseNumber,
  picturesAt,
  viewKey,
} from './latent-cache.ts';

/** One batch: its pictures, and which of them lack codes and embeddings. */
interface Task {
  readonly picks: readonly View[];
  readonly toCode: readonly number[];
  readonly toEmbed: readonly number[];
}

const NOTHING: Task = { picks: [], toCode: [], toEmbed: [] };

/**
 * Encode every view of every picture that the cache lacks, as `encodeMissing` does.
 * @param cache of rank 0; the others have none.
 * @throws Interrupted on all ranks when the signal of one fires.
 */
export async function encodeOverRanks(
  ranks: Ranks,
  cache: LatentCache | undefined,
  pictures: Encodable,
  views: number,
  encoders: Encoders,
  { signal, display }: Watch,
): Promise<void> {
  const list = cache && new MissingViews(cache, pictures, views);
  const onProgress = display.count('encoding');
  /** The next batch of each rank, in their order; none when nothing is missing any more. */
  const nextRound = () => shared(ranks, list?.next(ranks.size) ?? []);
  const pixelsOf = (tasks: readonly Task[]) => {
    const bytes = pictures.reader.read((tasks[ranks.rank] ?? NOTHING).picks);
    // A failure is reported when the round comes.
    bytes.catch(() => {});
    return bytes;
  };
  let tasks = await nextRound();
  let reading = pixelsOf(tasks);
  while (tasks.length > 0) {
    const [isStopped] = await ranks.max([signal.aborted ? 1 : 0]);
    if (isStopped) throw new Interrupted('Stopped while encoding');
    // The next pictures are decoded meanwhile.
    const coming = await nextRound();
    const pixels = await reading;
    reading = pixelsOf(coming);
    const { codes, embeddings } = await encoded(tasks[ranks.rank] ?? NOTHING, pixels, pictures, encoders);
    const [allCodes, allEmbeddings] = [await ranks.gather(bytesOf(codes)), await ranks.gather(bytesOf(embeddings))];
    for (const [i, task] of tasks.entries()) list?.keep(task, allCodes[i]!, allEmbeddings[i]!);
    if (list) onProgress(list.done, list.total);
    tasks = coming;
  }
  list?.flush();
}

const keyIn = ({ source }: Pick<Encodable, 'source'>, { row, view }: View): string =>
  viewKey(source.contentId(row), view);

/** What the cache of rank 0 lacks, handed out in batches, and kept as they come back. */
class MissingViews {
  /** Views that were missing at the beginning, and those of them that have come back. */
  readonly total: number;
  done = 0;
  readonly #batches: Iterator<View[]>;

  constructor(
    private readonly cache: LatentCache,
    private readonly pictures: Encodable,
    views: number,
  ) {
    const { source } = pictures;
    const isMissing = isMissingFrom(cache, source);
    let total = 0;
    for (const view of allViews(source.size, views)) if (isMissing(view)) total++;
    this.total = total;
    this.#batches = batchesOf(allViews(source.size, views), isMissing);
  }

  /** The next batches, `most` of them or as many as there are. */
  next(most: number): Task[] {
    const tasks: Task[] = [];
    while (tasks.length < most) {
      const { value: picks, done } = this.#batches.next();
      if (done) break;
      const lacking = (store: LatentCache['codes']) =>
        picks.flatMap((pick: View, n: number) => (store.slotOf(keyIn(this.pictures, pick)) < 0 ? [n] : []));
      tasks.push({ picks, toCode: lacking(this.cache.codes), toEmbed: lacking(this.cache.embeddings) });
    }
    return tasks;
  }

  /** Keep the codes and embeddings of a batch, as bytes. */
  keep({ picks, toCode, toEmbed }: Task, codes: Uint8Array, embeddings: Uint8Array): void {
    const keys = (at: readonly number[]) => at.map((n) => keyIn(this.pictures, picks[n]!));
    append(this.cache.codes, keys(toCode), codes);
    append(this.cache.embeddings, keys(toEmbed), embeddings);
    this.done += picks.length;
  }

  flush(): void {
    this.cache.codes.flush();
    this.cache.embeddings.flush();
  }
}

/**
 * What a batch lacks: codes [toCode, tokens] and embeddings [toEmbed, dim].
 * @param pixels of all pictures of the batch, one after another.
 */
async function encoded(
  { picks, toCode, toEmbed }: Task,
  pixels: Uint8Array,
  pictures: Encodable,
  { codec, clip, imageSize }: Encoders,
): Promise<{ readonly codes: Int32Array; readonly embeddings: Float32Array }> {
  const pixelsAt = (at: readonly number[]) => picturesAt(at, pixels, imageSize);
  const numbers = toCode.map((n) => noiseNumber(keyIn(pictures, picks[n]!)));
  return {
    codes: toCode.length > 0 ? await codec.encode(pixelsAt(toCode), numbers) : new Int32Array(0),
    embeddings:
      toEmbed.length > 0 ? await clip.embedImages(imageViews(pixelsAt(toEmbed), imageSize)) : new Float32Array(0),
  };
}

/** Keeps records, but for those of a picture that another batch of the round has held as well. */
function append(store: LatentCache['codes'], keys: readonly string[], bytes: Uint8Array): void {
  const width = bytes.length / Math.max(1, keys.length);
  for (const [i, key] of keys.entries())
    if (store.slotOf(key) < 0) store.append([key], bytes.subarray(i * width, (i + 1) * width));
}
