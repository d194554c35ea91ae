/** The embedder's worker: the only file that knows @huggingface/transformers. */

import {
  AutoImageProcessor,
  AutoModel,
  AutoTokenizer,
  env,
  LogLevel,
  RawImage,
  type Tensor,
} from '@huggingface/transformers';
import { HandedOver } from '../base/calls.ts';
import { messageOf, UserError } from '../base/errors.ts';
import { recordIn } from '../base/record.ts';
import { serveThread, threadOptions } from '../base/worker-calls.ts';
import type { RgbImage } from '../data/pictures/image.ts';
import type { ClipCalls, ClipFacts, ClipWorkerOptions } from './clip-protocol.ts';
import { hashClip } from './clip-source.ts';
import { type Knowledge, knowledgeOf, tokenRows } from './knowledge.ts';
import { within } from './time-limit.ts';

const { source, threads } = threadOptions<ClipWorkerOptions>();

interface Clip {
  readonly facts: ClipFacts;
  /** [images, dim] */
  embedImages(images: readonly RgbImage[]): Promise<Float32Array>;
  /** [texts, dim] */
  embedTexts(texts: readonly string[], truncate: boolean): Promise<Float32Array>;
  knowledge(texts: readonly string[]): readonly Knowledge[] | undefined;
}

/** What the library's models give for one side, the first of these that a model has. */
const OUTPUTS = {
  text: ['text_embeds', 'text_embeddings', 'pooler_output'],
  image: ['image_embeds', 'image_embeddings', 'pooler_output'],
} as const;

type Side = keyof typeof OUTPUTS;
type Feeds = Readonly<Record<string, unknown>>;

/** Beyond this a tokenizer's limit only says that it has none. */
const NO_LIMIT = 1e6;
/** Milliseconds; a batch of texts takes a few. */
const MOST_TOKENIZING = 5_000;

async function load(): Promise<Clip> {
  env.logLevel = LogLevel.NONE;
  env.allowRemoteModels = false;
  const { folder, networks } = source;
  const options = {
    device: 'cpu',
    dtype: networks.dtype,
    local_files_only: true,
    session_options: { intraOpNumThreads: threads, interOpNumThreads: 1, logSeverityLevel: 3 },
  } as const;
  const open = (file: string) => AutoModel.from_pretrained(folder, { ...options, model_file_name: file });
  const towers = networks.kind === 'towers' ? (['text_model', 'vision_model'] as const) : (['model', 'model'] as const);
  const text = open(towers[0]);
  const parts = [
    AutoTokenizer.from_pretrained(folder),
    AutoImageProcessor.from_pretrained(folder, {}),
    text,
    networks.kind === 'towers' ? open(towers[1]) : text,
  ] as const;
  // Where one fails, the others may still be at work in native code, which must not outlive this thread.
  await Promise.allSettled(parts);
  const [tokenizer, processor, textModel, imageModel] = await Promise.all(parts);

  const contextLength = contextOf(tokenizer.model_max_length, textModel.config);
  const inputs = inputNames(textModel);
  // A network with an attention mask needs only as much padding as its batch; one without was trained on
  // texts of full length, and is given them.
  const padding = inputs.includes('attention_mask') ? true : 'max_length';
  const pad = { padding, truncation: true, max_length: contextLength } as const;
  const words = (texts: readonly string[]): Feeds => tokenized(() => tokenizer([...texts], pad));
  const pixels = async (images: readonly RgbImage[]): Promise<Feeds> =>
    processor(images.map(({ data, width, height }) => new RawImage(data, width, height, 3)));
  // A joint network needs an input on its other side too.
  const isJoint = networks.kind === 'joint';
  const grey: RgbImage = { width: 32, height: 32, data: new Uint8Array(3 * 32 * 32).fill(127) };
  const [otherWords, otherPixels] = isJoint ? [words(['a']), await pixels([grey])] : [{}, {}];

  const embed = async (side: Side, feeds: Feeds): Promise<Tensor> => {
    const given: Feeds = side === 'text' ? { ...otherPixels, ...feeds } : { ...otherWords, ...feeds };
    const out = (await (side === 'text' ? textModel : imageModel)(given)) as Readonly<Record<string, Tensor>>;
    const name = OUTPUTS[side].find((candidate) => out[candidate]?.dims.length === 2);
    if (name === undefined)
      throw new UserError(
        `${source.model} is no dual encoder that can be used: its ${side} side gives ${Object.keys(out).join(', ')}, not ${OUTPUTS[side].join(' or ')}`,
      );
    return out[name]!;
  };

  const [{ dims }, { dims: imageDims }] = [
    await embed('text', words(['a'])),
    await embed('image', await pixels([grey])),
  ];
  const dim = dims[1]!;
  if (imageDims[1] !== dim)
    throw new UserError(`${source.model} is no dual encoder: texts become ${dim} numbers and pictures ${imageDims[1]}`);
  return {
    facts: { dim, contextLength, id: hashClip(source) },
    async embedImages(images) {
      return unitRows(await embed('image', await pixels(images)), dim);
    },
    async embedTexts(texts, truncate) {
      for (const text of texts)
        checkText(text, truncate ? 0 : tokenized(() => tokenizer.encode(text).length), contextLength);
      return unitRows(await embed('text', words(texts)), dim);
    },
    knowledge(texts) {
      const rows = tokenRows(folder);
      const encode = (text: string) => tokenized(() => tokenizer.encode(text, { add_special_tokens: false }));
      return rows && texts.map((text) => knowledgeOf(text, rows, tokenizer.pad_token_id ?? -1, encode));
    },
  };
}

/** A tokenizer's regular expressions come with the model, and some never end on some texts. */
const tokenized = <T>(job: () => T): T =>
  within(
    MOST_TOKENIZING,
    job,
    () =>
      new UserError(
        `The tokenizer of ${source.model} does not end on such a text: its tokenizer.json has a regular expression that takes too long; use another CLIP`,
      ),
  );

/** Tokens that a text may have: the least that tokenizer and network allow. */
function contextOf(tokenizerLimit: number, config: unknown): number {
  const text = recordIn(config, 'text_config');
  const limits = [
    tokenizerLimit,
    recordIn(config, 'max_position_embeddings'),
    recordIn(text, 'max_position_embeddings'),
  ];
  const known = limits.filter((limit): limit is number => typeof limit === 'number' && limit > 0 && limit < NO_LIMIT);
  if (known.length === 0) throw new UserError(`${source.model} does not say how long its texts may be`);
  return Math.min(...known);
}

/** What a loaded model is fed. */
function inputNames(model: unknown): readonly string[] {
  const names = recordIn(recordIn(recordIn(model, 'sessions'), 'model'), 'inputNames');
  return Array.isArray(names) ? names : [];
}

function checkText(text: string, tokens: number, contextLength: number): void {
  if (text.trim() === '') throw new UserError('The prompt is empty: say what the picture should show');
  if (tokens <= contextLength) return;
  throw new UserError(
    `The prompt "${excerpt(text)}" is ${tokens} tokens long and this CLIP reads at most ${contextLength}: shorten it`,
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
  const remedy = `cannot load the CLIP ${source.model} (${reason}); fetch or train it again, or give another folder`;
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

const handedOver = (rows: Float32Array): HandedOver<Float32Array> => new HandedOver(rows, [rows.buffer as ArrayBuffer]);

// One at a time: the models share the threads anyway.
serveThread<ClipCalls>({
  facts: async () => (await open()).facts,
  images: async ({ images }) => handedOver(await (await open()).embedImages(images)),
  knowledge: async ({ texts }) => (await open()).knowledge(texts),
  texts: async ({ texts, truncate }) => handedOver(await (await open()).embedTexts(texts, truncate)),
});
