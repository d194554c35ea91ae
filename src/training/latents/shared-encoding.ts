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
  { source, reader }: Encodable,
  views: number,
  { codec, clip, imageSize }: Encoders,
  { signal, display }: Watch,
): Promise<void> {
  const keyOf = ({ row, view }: View) => viewKey(source.contentId(row), view);
  const isMissing = cache && isMissingFrom(cache, source);
  const batches = cache && isMissing ? batchesOf(allViews(source.size, views), isMissing) : [][Symbol.iterator]();
  let total = 0;
  if (isMissing) for (const view of allViews(source.size, views)) if (isMissing(view)) total++;
  const nextRound = (): Promise<Task[]> => {
    const tasks: Task[] = [];
    while (cache && tasks.length < ranks.size) {
      const { value: picks, done } = batches.next();
      if (done) break;
      const lacking = (store: LatentCache['codes']) =>
        picks.flatMap((pick: View, n: number) => (store.slotOf(keyOf(pick)) < 0 ? [n] : []));
      tasks.push({ picks, toCode: lacking(cache.codes), toEmbed: lacking(cache.embeddings) });
    }
    return shared(ranks, tasks);
  };
  const reading = (tasks: readonly Task[]) => {
    const bytes = reader.read((tasks[ranks.rank] ?? NOTHING).picks);
    // A failure is reported when the round comes.
    bytes.catch(() => {});
    return bytes;
  };
  const onProgress = display.count('encoding');
  const stride = 3 * imageSize ** 2;
  let done = 0;
  let tasks = await nextRound();
  let bytes = reading(tasks);
  while (tasks.length > 0) {
    const [isStopped] = await ranks.max([signal.aborted ? 1 : 0]);
    if (isStopped) throw new Interrupted('Stopped while encoding');
    // The next pictures are decoded meanwhile.
    const coming = await nextRound();
    const all = await bytes;
    bytes = reading(coming);
    const { picks, toCode, toEmbed } = tasks[ranks.rank] ?? NOTHING;
    const part = (at: readonly number[]) => {
      const pixels = new Uint8Array(at.length * stride);
      at.forEach((n, to) => {
        pixels.set(all.subarray(n * stride, (n + 1) * stride), to * stride);
      });
      return pixels;
    };
    const numbers = toCode.map((n) => noiseNumber(keyOf(picks[n]!)));
    const codes = toCode.length > 0 ? await codec.encode(part(toCode), numbers) : new Int32Array(0);
    const embeddings =
      toEmbed.length > 0 ? await clip.embedImages(imageViews(part(toEmbed), imageSize)) : new Float32Array(0);
    const [allCodes, allEmbeddings] = [await ranks.gather(bytesOf(codes)), await ranks.gather(bytesOf(embeddings))];
    if (cache)
      for (const [i, task] of tasks.entries()) {
        const keys = (at: readonly number[]) => at.map((n) => keyOf(task.picks[n]!));
        append(cache.codes, keys(task.toCode), allCodes[i]!);
        append(cache.embeddings, keys(task.toEmbed), allEmbeddings[i]!);
        done += task.picks.length;
      }
    onProgress(done, total);
    tasks = coming;
  }
  cache?.codes.flush();
  cache?.embeddings.flush();
}

/** Keeps records, but for those of a picture that another batch of the round has held as well. */
function append(store: LatentCache['codes'], keys: readonly string[], bytes: Uint8Array): void {
  const width = bytes.length / Math.max(1, keys.length);
  for (const [i, key] of keys.entries())
    if (store.slotOf(key) < 0) store.append([key], bytes.subarray(i * width, (i + 1) * width));
}
