/**
 * Pictures with captions. Only a compact CLIP may learn from these; the generator's pictures come from `ImageSource`
 * alone.
 */

import path from 'node:path';
import * as z from 'zod';
import { messageOf, UserError } from '../../base/errors.ts';
import { readText } from '../../files/regular-file.ts';
import { parseStrictJson } from '../../files/strict-json.ts';
import { permutation } from '../../random/noise.ts';
import {
  bytesAt,
  type Container,
  fileSize,
  fileStamp,
  HEAD,
  maxEntryBytes,
  type Rejected,
  tooLarge,
  withFile,
} from './containers/container.ts';
import { facePairs } from './faces/source.ts';
import { fashionCaption } from './fashion-captions.ts';
import { FASHION_CLASSES, fashionLabels, fashionSource } from './fashion-mnist.ts';
import { picturesSource } from './pictures-source.ts';
import { type SharedInventoryOptions, takeSharedInventory } from './shared-inventory.ts';
import type { ImageSource } from './source.ts';

export interface PairSource {
  readonly images: ImageSource;
  /** Caption number `wording` of a picture: another number, other words where there are any. */
  caption(index: number, wording: number): string;
}

export interface PairOptions extends Omit<SharedInventoryOptions, 'known' | 'onLine'> {
  readonly seed: number;
  /** Pairs to draw, where pairs are drawn. */
  readonly count: number;
  /** Where drawn pairs begin. */
  readonly offset: number;
  readonly onRejected: (rejected: Rejected) => void;
}

/** Whether a data source has captioned pictures, which a CLIP can be trained on. */
export const isPairsFile = (spec: string): boolean => spec.toLowerCase().endsWith('.jsonl');

/** Sets that have captions of their own, on pictures apart from those that the generator learns from. */
export const hasPairs = (spec: string): boolean => spec === 'faces' || spec === 'fashion-mnist' || isPairsFile(spec);

/**
 * Open captioned pictures: `faces` (drawn), `fashion-mnist` (class names for pictures of the test split), or a file of
 * lines `{"image": "path", "text": "…"}` or `{"image": "path", "texts": ["…", "…"]}` with paths relative to the file.
 * @throws UserError naming the file and line that cannot be used.
 */
export async function openPairs(spec: string, options: PairOptions): Promise<PairSource> {
  if (spec === 'faces') return facePairs({ seed: options.seed, count: options.count, offset: options.offset });
  if (spec === 'fashion-mnist') return fashionPairs(options.seed);
  return filePairs(spec, options);
}

/** Pictures of the test split that its CLIP learns from; the others are for measuring it. */
export const FASHION_CLIP_PAIRS = 8000;

/** The test split in an order of its own: the first for the CLIP, the rest held out from it. */
export const fashionOrder = (seed: number, size: number): Int32Array =>
  Int32Array.from(permutation(seed, 'fashion/pairs', 0, size));

async function fashionPairs(seed: number): Promise<PairSource> {
  const [source, labels] = [await fashionSource('test'), await fashionLabels('test')];
  const order = fashionOrder(seed, source.size);
  return {
    images: {
      ...source,
      size: FASHION_CLIP_PAIRS,
      id: (index) => source.id(order[index]!),
      contentId: (index) => source.contentId(order[index]!),
      read: (index, size, crop) => source.read(order[index]!, size, crop),
    },
    caption: (index, wording) => fashionCaption(FASHION_CLASSES[labels[order[index]!]!]!, index + wording),
  };
}

const lineSchema = z.union([
  z.strictObject({ image: z.string().min(1), text: z.string().trim().min(1) }),
  z.strictObject({ image: z.string().min(1), texts: z.array(z.string().trim().min(1)).min(1) }),
]);

interface Line {
  readonly image: string;
  readonly texts: readonly string[];
}

async function filePairs(file: string, options: PairOptions): Promise<PairSource> {
  const lines = readPairs(file);
  const { pictures, rejected } = await takeSharedInventory(listed(path.dirname(file), lines), options);
  for (const one of rejected) options.onRejected(one);
  const source = picturesSource(listed(path.dirname(file), lines), pictures);
  return {
    images: source,
    caption: (index, wording) => {
      const { texts } = lines[pictures[index]!.index]!;
      return texts[(index + wording) % texts.length]!;
    },
  };
}

/**
 * The lines of a file of pairs; no picture is opened.
 * @throws UserError naming the file and line that cannot be used.
 */
export function readPairs(file: string): readonly Line[] {
  const lines = readText(file, MOST_PAIRS)
    .split(/\r\n|\r|\n/)
    .flatMap((line, i) => (line.trim() === '' ? [] : [parsedLine(line, `${file}, line ${i + 1}`)]));
  if (lines.length === 0) throw new UserError(`${file} holds no pairs`);
  return lines;
}

/** Bytes; a text cannot have more. */
const MOST_PAIRS = 500 * 2 ** 20;

const FORM = '{"image": "cat.jpg", "text": "a cat"}';
const KEYS = ['image', 'text', 'texts'];
/** The names that other tools use. */
const OTHER_NAMES: Readonly<Record<string, string>> = {
  ...{ file_name: 'image', filename: 'image', file: 'image', path: 'image', image_path: 'image', img: 'image' },
  ...{ caption: 'text', captions: 'texts', prompt: 'text', description: 'text', txt: 'text', title: 'text' },
};

/** What keeps a value from being a pair: the key that is missing, renamed, too many, or has no such value. */
function pairTrouble(value: unknown): string {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return 'not a pair';
  const given = new Map(Object.entries(value));
  const quoted = (key: string) => JSON.stringify(key.slice(0, 60));
  for (const key of given.keys()) {
    const meant = Object.hasOwn(OTHER_NAMES, key) ? OTHER_NAMES[key] : undefined;
    if (meant !== undefined && !given.has(meant))
      return `not a pair: the key ${quoted(key)} is to be called "${meant}"`;
  }
  if (!given.has('image')) return 'not a pair: the key "image" is missing';
  if (!given.has('text') && !given.has('texts')) return 'not a pair: the key "text" is missing';
  if (given.has('text') && given.has('texts')) return 'not a pair: it has both "text" and "texts"';
  const extra = [...given.keys()].filter((key) => !KEYS.includes(key));
  if (extra.length > 0) return `not a pair: the key ${extra.map(quoted).join(', ')} is too many, leave it out`;
  const image: unknown = given.get('image');
  if (typeof image === 'string' && ADDRESS.test(image))
    return 'not a pair: "image" is an address; download the picture and name its file';
  const wrong = [...given].find(([key, content]) => !isFilled(key, content))?.[0] ?? 'text';
  return `not a pair: "${wrong}" is ${wrong === 'texts' ? 'no list of texts' : 'no text, or empty'}`;
}

const ADDRESS = /^[a-z][a-z0-9+.-]+:\/\//i;

const isFilled = (key: string, content: unknown): boolean =>
  key === 'texts'
    ? Array.isArray(content) && content.length > 0 && content.every((text) => isFilled('text', text))
    : typeof content === 'string' && content.trim() !== '';

function parsedLine(line: string, where: string): Line {
  let value: unknown;
  try {
    value = parseStrictJson(line);
  } catch (error) {
    const twice = /the key .* is there twice/.exec(messageOf(error))?.[0];
    throw new UserError(`${where}: ${twice ?? 'not JSON'}; write one object a line: ${FORM}`);
  }
  const { data } = lineSchema.safeParse(value);
  if (!data || ADDRESS.test(data.image))
    throw new UserError(`${where}: ${pairTrouble(value)}; write ${FORM}, or "texts" with a list`);
  return 'text' in data ? { image: data.image, texts: [data.text] } : data;
}

/** The pictures that the lines name, in the order of the lines. */
function listed(folder: string, lines: readonly Line[]): Container {
  const read = (index: number, most = maxEntryBytes): Promise<Uint8Array> =>
    withFile(path.resolve(folder, lines[index]!.image), async (handle) => {
      const { size } = await handle.stat();
      if (most >= maxEntryBytes && size > maxEntryBytes) throw new UserError(tooLarge(size));
      return bytesAt(handle, 0, Math.min(size, most));
    }).catch((error: unknown) => {
      throw new UserError(`cannot be read: ${messageOf(error)}`);
    });
  return {
    path: folder,
    names: lines.map(({ image }) => image),
    rejected: [],
    read,
    head: (index) => read(index, HEAD),
    size: (index) => fileSize(path.resolve(folder, lines[index]!.image)),
    stamp: (index) => fileStamp(path.resolve(folder, lines[index]!.image)),
    close: async () => {},
  };
}
