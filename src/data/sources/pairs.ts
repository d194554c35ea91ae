/** Pictures with captions. Only a compact CLIP may learn from these; the generator's pictures come from `ImageSource` alone. */

import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { z } from 'zod';
import { messageOf, UserError } from '../../base/errors.ts';
import { permutation } from '../../random/noise.ts';
import type { Container, Rejected } from './containers/container.ts';
import { facePairs } from './faces/source.ts';
import { fashionCaption } from './fashion-captions.ts';
import { FASHION_CLASSES, fashionLabels, fashionSource } from './fashion-mnist.ts';
import { takeInventory } from './inventory.ts';
import { picturesSource } from './pictures-source.ts';
import type { ImageSource, LoadOptions } from './source.ts';

export interface PairSource {
  readonly images: ImageSource;
  /** Caption number `wording` of a picture: another number, other words where there are any. */
  caption(index: number, wording: number): string;
}

export interface PairOptions extends LoadOptions {
  readonly seed: number;
  /** Pairs to draw, where pairs are drawn. */
  readonly count: number;
  /** Where drawn pairs begin. */
  readonly offset: number;
  readonly onRejected: (rejected: Rejected) => void;
}

/** Whether `--data` names captioned pictures for `--stage clip`. */
export const isPairsFile = (spec: string): boolean => spec.toLowerCase().endsWith('.jsonl');

/** Sets that have captions of their own, on pictures apart from those that the generator learns from. */
export const hasPairs = (spec: string): boolean => spec === 'faces' || spec === 'fashion-mnist' || isPairsFile(spec);

/**
 * Open captioned pictures: `faces` (drawn), `fashion-mnist` (class names for pictures of the test split), or a file of lines
 * `{"image": "path", "text": "…"}` or `{"image": "path", "texts": ["…", "…"]}` with paths relative to the file.
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
  const text = await readFile(file, 'utf8').catch((error: unknown) => {
    throw new UserError(`cannot read ${file}: ${messageOf(error)}`);
  });
  const lines = text
    .split(/\r?\n/)
    .flatMap((line, i) => (line.trim() === '' ? [] : [parsedLine(line, `${file}, line ${i + 1}`)]));
  if (lines.length === 0) throw new UserError(`${file} holds no pairs`);
  const { pictures, rejected } = await takeInventory(listed(path.dirname(file), lines), options);
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

function parsedLine(line: string, where: string): Line {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch {
    throw new UserError(`${where}: not JSON; write one object a line: {"image": "cat.jpg", "text": "a cat"}`);
  }
  const { data } = lineSchema.safeParse(value);
  if (!data)
    throw new UserError(`${where}: not a pair; write {"image": "cat.jpg", "text": "a cat"}, or "texts" with a list`);
  return 'text' in data ? { image: data.image, texts: [data.text] } : data;
}

/** The pictures that the lines name, in the order of the lines. */
function listed(folder: string, lines: readonly Line[]): Container {
  return {
    path: folder,
    names: lines.map(({ image }) => image),
    rejected: [],
    async read(index) {
      try {
        return await readFile(path.resolve(folder, lines[index]!.image));
      } catch (error) {
        throw new UserError(`cannot be read: ${messageOf(error)}`);
      }
    },
    stamp: async () => '',
    close: async () => {},
  };
}
