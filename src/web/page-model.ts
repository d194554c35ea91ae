/**
 * All that a page needs of a model, in one file: the tokenizer's decoder, the denoiser, the text tower of a compact
 * CLIP with its vocabulary, and the statistics that correct prompts. It is a safetensors file whose metadata holds the
 * rest. This file runs on any platform (`test/platform-free.test.ts`).
 */

import { UserError } from '../base/errors.ts';
import { bytesOf, type NDArray } from '../base/ndarray.ts';
import { fitsFloat16, float32ToFloat16 } from '../checkpoint/half.ts';
import { encodeEntries, inOrder, parseSafetensors, placed } from '../checkpoint/safetensors-bytes.ts';
import { byteSize } from '../checkpoint/safetensors-header.ts';
import type { Merge } from '../embedding/compact/bpe.ts';
import { parseStrictJson } from '../files/strict-json.ts';
import { parseRecipe } from '../recipe/recipe.ts';
import type { Recipe } from '../recipe/schema.ts';

const FORMAT = 'clip-vqdiffusion page model';
const VERSION = '1';

type Flat = Readonly<Record<string, NDArray>>;

/** How weights are kept: with 16 bits they take half the place, and pictures differ a little from those of 32. */
export type Precision = 'float16' | 'float32';

export interface PageModel {
  readonly title: string;
  readonly recipe: Recipe;
  /** The run's seed. */
  readonly seed: number;
  /** Identity of the weights and the recipe, 16 hex digits. */
  readonly hash: string;
  /** Of the program that wrote it. */
  readonly version: string;
  readonly precision: Precision;
  /** The tokens of a prompt, at most. */
  readonly context: number;
  readonly merges: readonly Merge[];
  /** Weights under their dotted paths, by part. */
  readonly parts: {
    readonly decoder: Flat;
    readonly denoiser: Flat;
    /** The text tower of the CLIP, and `rows`: the place of every token in its table. */
    readonly text: Flat;
    /** Moments and anchors of embeddings (`embedding/correction.ts`); empty where there are none. */
    readonly statistics: Flat;
  };
}

type PartName = keyof PageModel['parts'];
const PARTS: readonly PartName[] = ['decoder', 'denoiser', 'text', 'statistics'];

/** The bytes of a page model, in pieces. The same model gives the same bytes. */
export function encodePageModel({ parts, recipe, seed, context, merges, ...texts }: PageModel): Uint8Array[] {
  const all = Object.fromEntries(
    PARTS.flatMap((part) => Object.entries(parts[part]).map(([name, array]) => [`${part}.${name}`, array] as const)),
  );
  // Wider elements first, so that all lie aligned.
  const stored = inOrder(all).map(([name, array]) => ({
    name,
    shape: array.shape,
    ...storedAs(array, texts.precision),
  }));
  const ordered = stored.sort((a, b) => byteSize(b.format, []) - byteSize(a.format, []));
  const entries = placed(ordered);
  const metadata = {
    ...texts,
    format: FORMAT,
    formatVersion: VERSION,
    recipe: JSON.stringify(recipe),
    seed: `${seed}`,
    context: `${context}`,
    merges: merges.map((pair) => pair.join(' ')).join('\n'),
  };
  return [encodeEntries(entries, metadata), ...ordered.map(({ bytes }) => bytes)];
}

function storedAs(array: NDArray, precision: Precision): { format: 'F32' | 'F16' | 'I32'; bytes: Uint8Array } {
  const { dtype, data } = array;
  if (dtype === 'int32') return { format: 'I32', bytes: bytesOf(data) };
  if (dtype !== 'float32') throw new Error(`a page model holds no ${dtype}`);
  if (precision === 'float32' || !fitsFloat16(data)) return { format: 'F32', bytes: bytesOf(data) };
  return { format: 'F16', bytes: new Uint8Array(float32ToFloat16(data).buffer) };
}

/**
 * A page model from its bytes.
 * @throws UserError if they are damaged or something else.
 */
export function readPageModel(bytes: Uint8Array, label = 'The model of this page'): PageModel {
  const { tensors, metadata } = parseSafetensors(bytes, label);
  const text = (name: string): string => {
    const value = metadata[name];
    if (value === undefined) throw new UserError(`${label} is damaged: it does not say its ${name}; export it again`);
    return value;
  };
  if (metadata.format !== FORMAT || metadata.formatVersion !== VERSION)
    throw new UserError(`${label} is none that this page reads: export it again with the page`);
  const merges = text('merges')
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => line.split(' ') as [string, string]);
  const partOf = (part: PartName): Flat =>
    Object.fromEntries(
      Object.entries(tensors)
        .filter(([name]) => name.startsWith(`${part}.`))
        .map(([name, array]) => [name.slice(part.length + 1), array]),
    );
  return {
    title: text('title'),
    recipe: parseRecipe(parseStrictJson(text('recipe')), label),
    seed: Number(text('seed')),
    hash: text('hash'),
    version: text('version'),
    precision: text('precision') === 'float16' ? 'float16' : 'float32',
    context: Number(text('context')),
    merges,
    parts: {
      decoder: partOf('decoder'),
      denoiser: partOf('denoiser'),
      text: partOf('text'),
      statistics: partOf('statistics'),
    },
  };
}
