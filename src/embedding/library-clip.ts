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
import { type ClipModel, type ClipOpening, checkText, embeddings } from './clip-model.ts';
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
/** Milliseconds; a batch of texts takes a few. */
const MOST_TOKENIZING = 5_000;

/**
 * Open any CLIP. @throws UserError for a folder that holds no dual encoder; what the library throws for files that it
 * cannot read.
 */
export async function openLibraryClip({ source, threads }: ClipOpening): Promise<ClipModel> {
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

  const contextLength = contextOf(source, tokenizer.model_max_length, textModel.config);
  const inputs = inputNames(textModel);
  // A network with an attention mask needs only as much padding as its batch; one without was trained on
  // texts of full length, and is given them.
  const padding = inputs.includes('attention_mask') ? true : 'max_length';
  const pad = { padding, truncation: true, max_length: contextLength } as const;
  const tokenized = <T>(job: () => T): T => within(MOST_TOKENIZING, job, () => endless(source));
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
  const rowsOf = ({ data, dims: shape }: Tensor) => embeddings(data, shape, dim);
  return {
    facts: { dim, contextLength, id: hashClip(source) },
    async embedImages(images) {
      return rowsOf(await embed('image', await pixels(images)));
    },
    async embedTexts(texts, truncate) {
      for (const text of texts)
        checkText(text, truncate ? 0 : tokenized(() => tokenizer.encode(text).length), contextLength);
      return rowsOf(await embed('text', words(texts)));
    },
    knowledge(texts) {
      const rows = tokenRows(folder);
      const encode = (text: string) => tokenized(() => tokenizer.encode(text, { add_special_tokens: false }));
      return rows && texts.map((text) => knowledgeOf(text, rows, tokenizer.pad_token_id ?? -1, encode));
    },
  };
}

/** A tokenizer's regular expressions come with the model, and some never end on some texts. */
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
