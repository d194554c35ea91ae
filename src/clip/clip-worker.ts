/** The embedder's worker: the only file that knows @huggingface/transformers. */

import { parentPort, workerData } from 'node:worker_threads';
import {
  AutoProcessor,
  AutoTokenizer,
  CLIPTextModelWithProjection,
  CLIPVisionModelWithProjection,
  env,
  LogLevel,
  RawImage,
  type Tensor,
} from '@huggingface/transformers';
import type { RgbImage } from '../data/image.ts';
import { messageOf, UserError } from '../errors.ts';
import type { ClipAnswer, ClipCall, ClipFacts, ClipReply, ClipRequest, ClipWorkerOptions } from './clip-protocol.ts';
import { hashClip } from './clip-source.ts';

const { source, threads } = workerData as ClipWorkerOptions;

interface Clip {
  readonly facts: ClipFacts;
  /** [images, dim] */
  embedImages(images: readonly RgbImage[]): Promise<Float32Array>;
  /** [texts, dim] */
  embedTexts(texts: readonly string[], truncate: boolean): Promise<Float32Array>;
}

async function load(): Promise<Clip> {
  env.logLevel = LogLevel.NONE;
  env.allowRemoteModels = source.kind === 'hub';
  if (source.kind === 'hub') env.cacheDir = source.folder.slice(0, -source.model.length);
  const options = {
    device: 'cpu',
    dtype: 'fp32',
    local_files_only: source.kind === 'folder',
    session_options: { intraOpNumThreads: threads, interOpNumThreads: 1, logSeverityLevel: 3 },
  } as const;
  const parts = [
    AutoTokenizer.from_pretrained(source.model),
    AutoProcessor.from_pretrained(source.model),
    CLIPTextModelWithProjection.from_pretrained(source.model, options),
    CLIPVisionModelWithProjection.from_pretrained(source.model, options),
  ] as const;
  // Where one fails, the others may still be at work in native code, which must not outlive this thread.
  await Promise.allSettled(parts);
  const [tokenizer, processor, textModel, visionModel] = await Promise.all(parts);

  const contextLength = tokenizer.model_max_length;
  // Padding always goes to the full context: our own text tower is traced at that length, and no text depends on its company.
  const pad = { padding: 'max_length', truncation: true, max_length: contextLength } as const;
  const textEmbeddings = async (texts: readonly string[]): Promise<Tensor> =>
    (await textModel(tokenizer([...texts], pad))).text_embeds;

  const dim = (await textEmbeddings(['a'])).dims[1];
  if (dim === undefined) throw new Error('its text model gives no text_embeds');
  return {
    facts: { dim, contextLength, id: hashClip(source) },
    async embedImages(images) {
      const raw = images.map(({ data, width, height }) => new RawImage(data, width, height, 3));
      return unitRows((await visionModel(await processor(raw))).image_embeds, dim);
    },
    async embedTexts(texts, truncate) {
      for (const text of texts) checkText(text, truncate ? 0 : tokenizer.encode(text).length, contextLength);
      return unitRows(await textEmbeddings(texts), dim);
    },
  };
}

function checkText(text: string, tokens: number, contextLength: number): void {
  if (text.trim() === '') throw new UserError('the prompt is empty: say what the picture should show');
  if (tokens <= contextLength) return;
  throw new UserError(
    `the prompt "${excerpt(text)}" is ${tokens} tokens long and this CLIP reads at most ${contextLength}: shorten it`,
  );
}

/** The beginning of a text on one line. */
function excerpt(text: string): string {
  const line = text.replaceAll(/\s+/g, ' ');
  return line.length <= 60 ? line : `${line.slice(0, 60)}…`;
}

/** The rows of a matrix [rows, dim], each divided by its length. */
function unitRows({ data, dims }: Tensor, dim: number): Float32Array {
  if (!(data instanceof Float32Array) || dims[1] !== dim)
    throw new Error(`embeddings are [${dims}] where [n, ${dim}] is due`);
  const rows = Float32Array.from(data);
  for (let start = 0; start < rows.length; start += dim) {
    let squares = 0;
    for (let i = start; i < start + dim; i++) squares += rows[i]! ** 2;
    for (let i = start; i < start + dim; i++) rows[i]! /= Math.sqrt(squares);
  }
  return rows;
}

/** What went wrong on the way to a loaded model, with what can be done about it. */
function loadFailure(error: unknown): UserError {
  const reason = messageOf(error).replaceAll(/\s+/g, ' ');
  const remedy =
    source.kind === 'folder'
      ? `cannot load the CLIP in ${source.model} (${reason}); train it again or give another folder`
      : `cannot fetch the CLIP ${source.model} (${reason}); check the name and the network, or give a local folder`;
  return error instanceof UserError ? error : new UserError(remedy);
}

let opened: Promise<Clip> | undefined;

/** The model, loaded at the first call. */
function open(): Promise<Clip> {
  opened ??= load().catch((error: unknown) => {
    throw loadFailure(error);
  });
  return opened;
}

async function answer(request: ClipRequest): Promise<ClipReply> {
  switch (request.kind) {
    case 'load':
      return { kind: 'facts', facts: (await open()).facts };
    case 'images':
      return { kind: 'embeddings', embeddings: await (await open()).embedImages(request.images) };
    case 'texts':
      return { kind: 'embeddings', embeddings: await (await open()).embedTexts(request.texts, request.truncate) };
    case 'close':
      return { kind: 'done' };
  }
}

// One at a time: the models share the threads anyway.
let queue = Promise.resolve();
parentPort?.on('message', ({ id, request }: ClipCall) => {
  queue = queue.then(async () => {
    const reply = await answer(request).catch(
      (error: unknown): ClipReply => ({
        kind: 'error',
        message: messageOf(error),
        mistake: error instanceof UserError,
      }),
    );
    parentPort?.postMessage({ id, reply } satisfies ClipAnswer);
  });
});
