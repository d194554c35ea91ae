/**
 * The compact CLIPs that this program trains, run straight by ONNX Runtime. @huggingface/transformers gives the same
 * bits, and takes longer to load than a picture takes to draw (docs/log.md): it is left for what is rare, texts
 * that are to be cut and pictures that are not square.
 */

import path from 'node:path';
import { recordIn } from '../../base/record.ts';
import type { RgbImage } from '../../data/pictures/image.ts';
import { sharp } from '../../data/pictures/sharp.ts';
import { type ModelFile, openModelFile } from '../../engine/ort/model-file.ts';
import { MOST_TEXT, readText } from '../../files/regular-file.ts';
import { type ClipModel, checkText, embeddings } from '../clip-model.ts';
import type { ClipOpening } from '../clip-protocol.ts';
import { type ClipSource, hashClip, neededFiles } from '../sources/clip-files.ts';
import { Bpe } from './bpe.ts';
import { type CompactSettings, jsonFiles, pixelOf } from './compact-files.ts';
import { halved } from './halved.ts';
import { knowledgeOf, tokenRows } from './knowledge.ts';
import { mergesOf } from './tokenizer-files.ts';

/**
 * Open a CLIP that this program has trained.
 * @param library opens the same CLIP by the library.
 * @returns undefined for a CLIP that is none of this program's.
 */
export async function openCompactClip(
  { source, threads }: ClipOpening,
  library: () => Promise<ClipModel>,
): Promise<ClipModel | undefined> {
  const known = compactIn(source);
  const towers = known && (await openTowers(source, threads));
  if (!known || !towers) return undefined;
  const { settings, bpe } = known;
  const { dim, imageSize, context } = settings;
  let other: Promise<ClipModel> | undefined;
  const byLibrary = () => {
    other ??= library();
    return other;
  };
  return {
    facts: { dim, contextLength: context, id: hashClip(source) },
    async embedImages(images) {
      if (images.some(({ width, height }) => width !== height)) return (await byLibrary()).embedImages(images);
      const sized = await Promise.all(images.map((image) => resized(image, imageSize)));
      const { data, shape } = await towers.image.run(planesOf(sized), [images.length, 3, imageSize, imageSize]);
      return embeddings(data, shape, dim);
    },
    async embedTexts(texts, truncate) {
      const ids = texts.map((text) => bpe.encode(text));
      for (const [i, text] of texts.entries()) checkText(text, truncate ? 0 : ids[i]!.length, context);
      if (ids.some(({ length }) => length > context)) return (await byLibrary()).embedTexts(texts, truncate);
      const { data, shape } = await towers.text.run(padded(ids, context, bpe.pad), [texts.length, context]);
      return embeddings(data, shape, dim);
    },
    knowledge(texts) {
      const rows = tokenRows(source.folder);
      const encode = (text: string) => bpe.encode(text).slice(1, -1);
      return rows && texts.map((text) => knowledgeOf(text, rows, bpe.pad, encode));
    },
    async release() {
      await Promise.all([towers.text.release(), towers.image.release(), other?.then((clip) => clip.release())]);
    },
  };
}

interface Towers {
  readonly text: ModelFile;
  readonly image: ModelFile;
}

/** Undefined if the files are those of other networks, of which the library says what is wrong with them. */
async function openTowers({ folder }: ClipSource, threads: number): Promise<Towers | undefined> {
  const open = (tower: string, input: string, output: string) =>
    openModelFile(path.join(folder, 'onnx', `${tower}_model.onnx`), { threads, input, output });
  const opened = await Promise.allSettled([
    open('text', 'input_ids', 'text_embeds'),
    open('vision', 'pixel_values', 'image_embeds'),
  ]);
  const [text, image] = opened.map((one) => (one.status === 'fulfilled' ? one.value : undefined));
  if (text && image) return { text, image };
  await Promise.all([text?.release(), image?.release()]);
  return undefined;
}

/** The files of a compact CLIP: two networks, and JSON that is to the letter what this program writes. */
const FILES = 6;

/** Undefined for a folder that holds another CLIP. */
function compactIn(source: ClipSource): { readonly settings: CompactSettings; readonly bpe: Bpe } | undefined {
  const { folder, networks } = source;
  if (networks.kind !== 'towers' || networks.dtype !== 'fp32' || neededFiles(source).length !== FILES) return undefined;
  const textOf = (name: string) => readText(path.join(folder, name), MOST_TEXT);
  try {
    const config: unknown = JSON.parse(textOf('config.json'));
    const settings = {
      dim: Number(recordIn(config, 'projection_dim')),
      imageSize: Number(recordIn(recordIn(config, 'vision_config'), 'image_size')),
      context: Number(recordIn(recordIn(config, 'text_config'), 'max_position_embeddings')),
    };
    const bpe = new Bpe(mergesOf(JSON.parse(textOf('tokenizer.json'))));
    const isOurs = Object.entries(jsonFiles(settings, bpe)).every(([name, text]) => textOf(name) === text);
    return isOurs ? { settings, bpe } : undefined;
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

/** The bytes of a square picture at the network's size, as the library resizes it (Lanczos 3), [side, side, 3]. */
async function resized(image: RgbImage, side: number): Promise<Uint8Array> {
  const { width, height, data } = image;
  if (width === side) return data;
  if (width === 2 * side) return halved(image);
  const picture = sharp(data, { raw: { width, height, channels: 3 } });
  return picture.resize(side, side, { fit: 'fill', kernel: 'lanczos3' }).raw().toBuffer();
}

/** Pictures of one size as the network's input, [n, 3, side, side]. */
function planesOf(pictures: readonly Uint8Array[]): Float32Array {
  const size = pictures.reduce((sum, { length }) => sum + length, 0);
  const planes = new Float32Array(size);
  let start = 0;
  for (const data of pictures) {
    const pixels = data.length / 3;
    for (let i = 0; i < data.length; i++) planes[start + (i % 3) * pixels + Math.floor(i / 3)] = PIXELS[data[i]!]!;
    start += data.length;
  }
  return planes;
}

const PIXELS = Float32Array.from({ length: 256 }, (_, byte) => pixelOf(byte));

/** Rows of tokens as the network's input, [n, context]. */
function padded(rows: readonly (readonly number[])[], context: number, pad: number): BigInt64Array {
  const ids = new BigInt64Array(rows.length * context).fill(BigInt(pad));
  for (const [i, row] of rows.entries()) for (const [at, id] of row.entries()) ids[i * context + at] = BigInt(id);
  return ids;
}
