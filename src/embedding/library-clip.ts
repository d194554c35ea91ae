/** CLIPs run by @huggingface/transformers, which no other file imports. */

import {
  AutoImageProcessor,
  AutoModel,
  AutoTokenizer,
  env,
  LogLevel,
  RawImage,
  type Tensor,
} from '@huggingface/transformers';
import { UserError } from '../base/errors.ts';
import { recordIn } from '../base/record.ts';
import type { RgbImage } from '../data/pictures/image.ts';
import { type ClipModel, checkText, embeddings } from './clip-model.ts';
import type { ClipOpening } from './clip-protocol.ts';
import { knowledgeOf, tokenRows } from './compact/knowledge.ts';
import { type ClipSource, hashClip } from './sources/clip-files.ts';
import { within } from './time-limit.ts';

/** What the library's models give for one side, the first of these that a model has. */
const OUTPUTS = {
  text: ['text_embeds', 'text_embeddings', 'pooler_output'],
  image: ['image_embeds', 'image_embeddings', 'pooler_output'],
} as const;

type Side = keyof typeof OUTPUTS;
type Feeds = Readonly<Record<string, unknown>>;

/** Beyond this a tokenizer's limit only says that it has none. */
const NO_LIMIT = 1e6;

/**
 * Open any CLIP. @throws UserError for a folder that holds no dual encoder; what the library throws for files that it
 * cannot read.
 */
export async function openLibraryClip(opening: ClipOpening): Promise<ClipModel> {
  const { source } = opening;
  const loaded = await load(opening);
  const { tokenizer } = loaded;
  const contextLength = contextOf(source, tokenizer.model_max_length, loaded.text.config);
  const inputs = new Inputs(opening, loaded, contextLength);
  const { embed, dim } = await embedding(source, loaded, inputs);
  return {
    facts: { dim, contextLength, id: hashClip(source) },
    async embedImages(images) {
      return embed('image', await inputs.ofImages(images));
    },
    async embedTexts(texts, truncate) {
      for (const text of texts) checkText(text, truncate ? 0 : inputs.tokensOf(text).length, contextLength);
      return embed('text', inputs.ofTexts(texts));
    },
    knowledge(texts) {
      const rows = tokenRows(source.folder);
      const encode = (text: string) => inputs.tokensOf(text, { add_special_tokens: false });
      return rows && texts.map((text) => knowledgeOf(text, rows, tokenizer.pad_token_id ?? -1, encode));
    },
    async release() {
      await Promise.all([...new Set([loaded.text, loaded.image])].map((network) => network.dispose()));
    },
  };
}

type Loaded = Awaited<ReturnType<typeof load>>;

/** Load a CLIP's tokenizer and networks. A joint network is the text's and the picture's. */
async function load({ source: { folder, networks }, threads }: ClipOpening) {
  env.logLevel = LogLevel.NONE;
  env.allowRemoteModels = false;
  const options = {
    device: 'cpu',
    dtype: networks.dtype,
    local_files_only: true,
    session_options: { intraOpNumThreads: threads, interOpNumThreads: 1, logSeverityLevel: 3 },
  } as const;
  const open = (file: string) => AutoModel.from_pretrained(folder, { ...options, model_file_name: file });
  const isJoint = networks.kind === 'joint';
  const first = open(isJoint ? 'model' : 'text_model');
  const parts = [
    AutoTokenizer.from_pretrained(folder),
    AutoImageProcessor.from_pretrained(folder, {}),
    first,
    isJoint ? first : open('vision_model'),
  ] as const;
  // Where one fails, the others may still be at work in native code, which must not outlive this thread.
  await Promise.allSettled(parts);
  const [tokenizer, processor, text, image] = await Promise.all(parts);
  return { tokenizer, processor, text, image, isJoint };
}

/** Texts and pictures as a CLIP's networks take them. */
class Inputs {
  readonly #padding: { readonly padding: true | 'max_length'; readonly truncation: true; readonly max_length: number };

  constructor(
    private readonly opening: ClipOpening,
    private readonly loaded: Pick<Loaded, 'tokenizer' | 'processor' | 'text'>,
    contextLength: number,
  ) {
    // A network with an attention mask needs only as much padding as its batch; one without was trained on texts of
    // full length, and is given them.
    const padding = inputNames(loaded.text).includes('attention_mask') ? true : 'max_length';
    this.#padding = { padding, truncation: true, max_length: contextLength };
  }

  ofTexts(texts: readonly string[]): Feeds {
    return this.#inTime(() => this.loaded.tokenizer([...texts], this.#padding));
  }

  async ofImages(images: readonly RgbImage[]): Promise<Feeds> {
    return this.loaded.processor(images.map(({ data, width, height }) => new RawImage(data, width, height, 3)));
  }

  tokensOf(text: string, options?: { readonly add_special_tokens: false }): readonly number[] {
    return this.#inTime(() => this.loaded.tokenizer.encode(text, options));
  }

  /** A tokenizer's regular expressions come with the model, and some never end on some texts. */
  #inTime<T>(job: () => T): T {
    return within(this.opening.mostTokenizing, job, () => endless(this.opening.source));
  }
}

/** Unit rows [n, dim] of what one side is fed. */
type Embed = (side: Side, feeds: Feeds) => Promise<Float32Array>;

/**
 * How the networks embed, tried with one input on each side.
 * @throws UserError if a side gives nothing that can be used, or the two differ in width.
 */
async function embedding(
  { model }: ClipSource,
  networks: Pick<Loaded, Side | 'isJoint'>,
  inputs: Inputs,
): Promise<{ readonly embed: Embed; readonly dim: number }> {
  const grey: RgbImage = { width: 32, height: 32, data: new Uint8Array(3 * 32 * 32).fill(127) };
  const tried = { text: inputs.ofTexts(['a']), image: await inputs.ofImages([grey]) };
  const run = async (side: Side, feeds: Feeds): Promise<Tensor> => {
    // A joint network needs an input on its other side too.
    const all = networks.isJoint ? { ...tried[side === 'text' ? 'image' : 'text'], ...feeds } : feeds;
    const out = (await networks[side](all)) as Readonly<Record<string, Tensor>>;
    const name = OUTPUTS[side].find((candidate) => out[candidate]?.dims.length === 2);
    if (name === undefined)
      throw new UserError(
        `${model} is no dual encoder that can be used: its ${side} side gives ${Object.keys(out).join(', ')}, not ${OUTPUTS[side].join(' or ')}`,
      );
    return out[name]!;
  };
  const [{ dims }, { dims: imageDims }] = [await run('text', tried.text), await run('image', tried.image)];
  const dim = dims[1]!;
  if (imageDims[1] !== dim)
    throw new UserError(`${model} is no dual encoder: texts become ${dim} numbers and pictures ${imageDims[1]}`);
  return {
    dim,
    async embed(side, feeds) {
      const { data, dims: shape } = await run(side, feeds);
      return embeddings(data, shape, dim);
    },
  };
}

const endless = ({ model }: ClipSource): UserError =>
  new UserError(
    `The tokenizer of ${model} does not end on such a text: its tokenizer.json has a regular expression that takes too long; use another CLIP`,
  );

/** Tokens that a text may have: the least that tokenizer and network allow. */
function contextOf({ model }: ClipSource, tokenizerLimit: number, config: unknown): number {
  const text = recordIn(config, 'text_config');
  const limits = [
    tokenizerLimit,
    recordIn(config, 'max_position_embeddings'),
    recordIn(text, 'max_position_embeddings'),
  ];
  const known = limits.filter((limit): limit is number => typeof limit === 'number' && limit > 0 && limit < NO_LIMIT);
  if (known.length === 0) throw new UserError(`${model} does not say how long its texts may be`);
  return Math.min(...known);
}

/** What a loaded model is fed. */
function inputNames(model: unknown): readonly string[] {
  const names = recordIn(recordIn(recordIn(model, 'sessions'), 'model'), 'inputNames');
  return Array.isArray(names) ? names : [];
}
