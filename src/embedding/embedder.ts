/**
 * The one way in which everything but CLIP's own training turns pictures and texts into embeddings. The CLIP runs in a
 * worker thread, so that the caller's event loop stays free: compact CLIPs by `compact-clip.ts`, others by
 * `library-clip.ts`.
 */

import type { RgbImage } from '../data/pictures/image.ts';
import { MOST_TOKENIZING } from './clip-protocol.ts';
import { giveBackClipThread, takeClipThread } from './clip-threads.ts';
import type { Knowledge } from './compact/knowledge.ts';
import { resolveClip } from './sources/clip-source.ts';
import type { HubOptions } from './sources/hub.ts';

/** An open CLIP. It keeps the process alive only while it loads or embeds. */
export interface ClipEmbedder {
  /** Width of the embeddings. */
  readonly dim: number;
  /** The longest text, in tokens, its start and end token included. */
  readonly contextLength: number;
  /** Identity of the model: a hash of its files. */
  readonly id: string;
  /** Pictures of any size to unit vectors, [images, dim]. */
  embedImages(images: readonly RgbImage[]): Promise<Float32Array>;
  /**
   * Texts to unit vectors, [texts, dim]. The other texts of a call have no effect on its embedding.
   * @throws UserError naming the first text that is empty or, unless `truncate` is set, longer than the context.
   */
  embedTexts(texts: readonly string[], options?: { readonly truncate?: boolean }): Promise<Float32Array>;
  /**
   * What the CLIP has learned of texts; undefined for one whose files do not say, as those of the hub, which were
   * trained on nearly every word.
   */
  knowledge(texts: readonly string[]): Promise<readonly Knowledge[] | undefined>;
  /** Gives the CLIP back once the calls that are under way are answered; later calls are rejected. */
  close(): Promise<void>;
  /** `close`, for `await using`. */
  [Symbol.asyncDispose](): Promise<void>;
}

/** How a CLIP is found and run. */
export interface EmbedderOptions extends HubOptions {
  /** Threads inside one operator; 0 for one on each core. */
  readonly threads?: number;
}

/** Inputs a message: large enough to keep the cores busy, small enough to keep memory flat. */
const BATCH = 64;

/**
 * Open a CLIP: a folder in the layout of @huggingface/transformers, or a hub name such as
 * `Xenova/clip-vit-base-patch32`, which is fetched once and then kept.
 * @throws UserError when the folder is missing or broken, or the hub cannot be reached.
 */
export async function openEmbedder(model: string, options: EmbedderOptions = {}): Promise<ClipEmbedder> {
  const source = await resolveClip(model, options);
  const opening = { source, threads: options.threads ?? 0, mostTokenizing: MOST_TOKENIZING };
  const thread = await takeClipThread();
  let closing: Promise<void> | undefined;
  const close = () => {
    closing ??= giveBackClipThread(thread);
    return closing;
  };
  const call: typeof thread.call = (...request) =>
    closing ? Promise.reject(new Error('the CLIP was closed')) : thread.call(...request);
  try {
    const { dim, contextLength, id } = await call('open', opening);
    return {
      dim,
      contextLength,
      id,
      embedImages: (images) => inBatches(images, dim, (some) => call('images', { images: some.map(detached) })),
      embedTexts: (texts, { truncate = false } = {}) =>
        inBatches(texts, dim, (some) => call('texts', { texts: some, truncate })),
      knowledge: (texts) => call('knowledge', { texts }),
      close,
      [Symbol.asyncDispose]: close,
    };
  } catch (error) {
    await close();
    throw error;
  }
}

/** Pictures that lie one after another in memory, [n, side, side, 3], as views of it. */
export function imageViews(bytes: Uint8Array, side: number): RgbImage[] {
  const size = 3 * side * side;
  if (bytes.length % size !== 0)
    throw new RangeError(`${bytes.length} bytes are not a number of ${side}x${side} pictures`);
  return Array.from({ length: bytes.length / size }, (_, i) => ({
    width: side,
    height: side,
    data: bytes.subarray(i * size, (i + 1) * size),
  }));
}

/** A copy with memory of its own: a view would take the whole array it looks at along to the worker. */
const detached = ({ width, height, data }: RgbImage): RgbImage => ({ width, height, data: data.slice() });

async function inBatches<T>(
  items: readonly T[],
  dim: number,
  embed: (some: readonly T[]) => Promise<Float32Array>,
): Promise<Float32Array> {
  const rows = new Float32Array(items.length * dim);
  for (let start = 0; start < items.length; start += BATCH) {
    rows.set(await embed(items.slice(start, start + BATCH)), start * dim);
  }
  return rows;
}
