/**
 * The one way in which everything beyond CLIP's own training turns pictures and texts into embeddings. It runs
 * @huggingface/transformers in a worker thread, so the caller's event loop stays free.
 */

import { UserError } from '../base/errors.ts';
import type { RgbImage } from '../data/pictures/image.ts';
import { NativeThread } from '../engine/native-thread.ts';
import type { ClipAnswer, ClipReply, ClipRequest, ClipWorkerOptions } from './clip-protocol.ts';
import { resolveClip } from './clip-source.ts';
import type { HubOptions } from './hub.ts';

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
   * Texts to unit vectors, [texts, dim]. What stands beside a text has no effect on its embedding.
   * @throws UserError naming the first text that is empty or, unless `truncate` is set, longer than the context.
   */
  embedTexts(texts: readonly string[], options?: { readonly truncate?: boolean }): Promise<Float32Array>;
  /** Stop the worker once the calls that are under way are answered; later calls are rejected. */
  close(): Promise<void>;
}

export interface EmbedderOptions extends HubOptions {
  /** Threads inside one operator; 0 lets ONNX Runtime choose. */
  readonly threads?: number;
}

/** Inputs a message: large enough to keep the cores busy, small enough to keep memory flat. */
const BATCH = 64;

/**
 * Open a CLIP: a folder in the layout of @huggingface/transformers, or a hub name such as `Xenova/clip-vit-base-patch32`, which
 * is fetched once and then kept.
 * @throws UserError when the folder is missing or broken, or the hub cannot be reached.
 */
export async function openEmbedder(model: string, options: EmbedderOptions = {}): Promise<ClipEmbedder> {
  const source = await resolveClip(model, options);
  const worker = new ClipWorker({ source, threads: options.threads ?? 0 });
  try {
    const reply = await worker.call({ kind: 'load' });
    if (reply.kind !== 'facts') throw new Error(`the CLIP worker answered ${reply.kind} to load`);
    const { dim, contextLength, id } = reply.facts;
    return {
      dim,
      contextLength,
      id,
      embedImages: (images) =>
        inBatches(images, dim, (some) => worker.embed({ kind: 'images', images: some.map(detached) })),
      embedTexts: (texts, { truncate = false } = {}) =>
        inBatches(texts, dim, (some) => worker.embed({ kind: 'texts', texts: some, truncate })),
      close: () => worker.close(),
    };
  } catch (error) {
    await worker.close();
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

interface Pending {
  readonly resolve: (reply: ClipReply) => void;
  readonly reject: (error: Error) => void;
}

/** The worker as a function from requests to replies. */
class ClipWorker {
  readonly #worker: NativeThread<ClipAnswer>;
  readonly #pending = new Map<number, Pending>();
  #calls = 0;
  #failure: Error | undefined;

  constructor(options: ClipWorkerOptions) {
    this.#worker = new NativeThread<ClipAnswer>('clip', options, {
      message: ({ id, reply }) => this.#settle(id, reply),
      error: (error) => this.#fail(error),
      exit: () => this.#fail(new Error('the CLIP was closed')),
    });
  }

  call(request: ClipRequest): Promise<ClipReply> {
    if (this.#failure) return Promise.reject(this.#failure);
    const id = this.#calls++;
    return new Promise((resolve, reject) => {
      this.#pending.set(id, { resolve, reject });
      this.#worker.postMessage({ id, request });
    });
  }

  async embed(request: ClipRequest): Promise<Float32Array> {
    const reply = await this.call(request);
    if (reply.kind !== 'embeddings') throw new Error(`the CLIP worker answered ${reply.kind} to ${request.kind}`);
    return reply.embeddings;
  }

  /** A thread may only be ended while it is idle: native code that returns into a dead thread ends the whole process. */
  async close(): Promise<void> {
    if (this.#failure) return;
    const idle = this.call({ kind: 'close' });
    this.#failure = new Error('the CLIP was closed');
    await idle.catch(() => {});
    await this.#worker.terminate();
  }

  #settle(id: number, reply: ClipReply): void {
    const waiting = this.#pending.get(id);
    this.#pending.delete(id);
    if (reply.kind !== 'error') waiting?.resolve(reply);
    else waiting?.reject(reply.mistake ? new UserError(reply.message) : new Error(reply.message));
  }

  #fail(error: Error): void {
    this.#failure ??= error;
    for (const waiting of this.#pending.values()) waiting.reject(this.#failure);
    this.#pending.clear();
  }
}
