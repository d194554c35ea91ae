/** Encoded pictures where they lie: files of a folder, entries of an archive, rows of a table. All are read by number. */

import { stat } from 'node:fs/promises';

/** Something that will not be learned from, and why. */
export interface Rejected {
  /** Its place in the container: a relative path, or table and row. */
  readonly path: string;
  readonly reason: string;
}

/** Encoded pictures in a fixed order, with random access. Nothing in it says what is in a picture: no captions, no labels. */
export interface Container {
  /** What messages call it: the path that the user gave. */
  readonly path: string;
  /** One name an entry, `/` between parts, in code unit order. */
  readonly names: readonly string[];
  /** What cannot be an entry at all: links that lead out, encrypted or oversized entries. */
  readonly rejected: readonly Rejected[];
  /**
   * The bytes of entry `index`.
   * @throws UserError if it cannot be read any more, or is larger than `maxEntryBytes`.
   */
  read(index: number): Promise<Uint8Array>;
  /** Something that changes when entry `index` changes, without reading it: size and time, mostly. */
  stamp(index: number): Promise<string>;
  close(): Promise<void>;
}

/** Size and time of a file: what a stamp is made of. Empty if it is gone, which reading it will tell. */
export async function fileStamp(file: string): Promise<string> {
  const found = await stat(file).catch(() => undefined);
  return found ? `${found.size} ${found.mtimeMs}` : '';
}

/** No encoded picture is larger; what claims to be is refused before memory is reserved for it. */
export const maxEntryBytes = 1 << 30;

export const tooLarge = (bytes: number): string =>
  `${(bytes / 2 ** 30).toFixed(1)} GiB is more than the limit of ${maxEntryBytes / 2 ** 30} GiB`;

/** Names in code unit order, so that no locale changes which picture has which number. */
export const byName = <T extends { readonly name: string }>(entries: readonly T[]): T[] =>
  [...entries].sort((a, b) => (a.name < b.name ? -1 : 1));

/** Whether an archive's entry is worth a look: not a folder, not what archivers and WebDataset put beside pictures. */
export function isBesidePictures(name: string): boolean {
  const base = name.slice(name.lastIndexOf('/') + 1);
  return base === '' || base.startsWith('.') || name.startsWith('__MACOSX/') || BESIDE.test(base);
}

const BESIDE = /\.(txt|json|jsonl|csv|tsv|cls|npy|npz|md|html|xml|ya?ml|parquet|idx|pyd|pkl)$/i;
