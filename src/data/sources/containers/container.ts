/**
 * Encoded pictures where they lie: files of a folder, entries of an archive, rows of a table. All are read by number.
 */

import { type FileHandle, stat } from 'node:fs/promises';
import { openRegularHandle } from '../../../files/regular-file.ts';

/** Something that will not be learned from, and why. */
export interface Rejected {
  /** Its place in the container: a relative path, or table and row. */
  readonly path: string;
  readonly reason: string;
}

/**
 * Encoded pictures in a fixed order, with random access. Nothing in it says what is in a picture: no captions, no
 * labels.
 */
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
  /**
   * The first `HEAD` bytes of entry `index`, or all where it is shorter: enough to tell what it is, without reading the
   * rest.
   * @throws UserError as `read` does.
   */
  head(index: number): Promise<Uint8Array>;
  /** Bytes that reading entry `index` takes, as far as that is known without reading it. */
  size(index: number): Promise<number>;
  /** Something that changes when entry `index` changes, without reading it: size and time, mostly. */
  stamp(index: number): Promise<string>;
  close(): Promise<void>;
}

/** Bytes that `head` gives. */
export const HEAD = 4096;

/** An entry of an archive; `size` is in bytes, unpacked. */
export interface ArchiveEntry {
  readonly name: string;
  readonly size: number;
}

/** An archive whose directory has been read. */
export interface Archive<T extends ArchiveEntry> {
  readonly path: string;
  /** Of the file, taken before its directory was read. */
  readonly stamp: Promise<string>;
  readonly entries: readonly T[];
  readonly rejected: readonly Rejected[];
}

/**
 * The container of an archive, whose entries change when its file does.
 * @param read the first `most` bytes of an entry, or all.
 */
export function archiveContainer<T extends ArchiveEntry>(
  { path, stamp, entries, rejected }: Archive<T>,
  read: (entry: T, most: number) => Promise<Uint8Array>,
): Container {
  return {
    path,
    names: entries.map(({ name }) => name),
    rejected,
    read: (index) => read(entries[index]!, Number.POSITIVE_INFINITY),
    head: (index) => read(entries[index]!, HEAD),
    size: async (index) => entries[index]!.size,
    stamp: () => stamp,
    close: async () => {},
  };
}

/** Size and times of a file: what a stamp is made of. Empty if it is gone, which reading it will tell. */
export async function fileStamp(file: string | Buffer): Promise<string> {
  const found = await stat(file).catch(() => undefined);
  return found ? `${found.size} ${found.mtimeMs} ${found.ctimeMs}` : '';
}

/** Size of a file, 0 if it is gone. */
export const fileSize = async (file: string | Buffer): Promise<number> =>
  (await stat(file).catch(() => undefined))?.size ?? 0;

/** Bytes [at, at + size) of a file; fewer where it ends before. */
export async function bytesAt(handle: FileHandle, at: number, size: number): Promise<Uint8Array> {
  const bytes = new Uint8Array(size);
  let read = 0;
  while (read < size) {
    const { bytesRead } = await handle.read(bytes, read, Math.min(size - read, 1 << 30), at + read);
    if (bytesRead === 0) return bytes.subarray(0, read);
    read += bytesRead;
  }
  return bytes;
}

/** Opens a file for as long as `use` takes, so that thousands of archives do not hold thousands of files open. */
export async function withFile<T>(file: string | Buffer, use: (handle: FileHandle) => Promise<T>): Promise<T> {
  const handle = await openRegularHandle(file);
  try {
    return await use(handle);
  } finally {
    await handle.close();
  }
}

/** No encoded picture is larger; what claims to be is refused before memory is reserved for it. */
export const maxEntryBytes = 1 << 30;

export const tooLarge = (bytes: number): string =>
  `${(bytes / 2 ** 30).toFixed(1)} GiB is more than the limit of ${maxEntryBytes / 2 ** 30} GiB`;

/**
 * Entries by name, in code unit order, of each name the last: that is what unpacking would leave. The others are
 * listed.
 */
export function distinct<T extends { readonly name: string }>(
  entries: readonly T[],
): { readonly entries: readonly T[]; readonly rejected: readonly Rejected[] } {
  const last = new Map(entries.map((entry) => [entry.name, entry]));
  const rejected = entries
    .filter((entry) => last.get(entry.name) !== entry)
    .map(({ name }) => ({ path: name, reason: 'the archive has another entry of this name behind it, which is used' }));
  return { entries: byName([...last.values()]), rejected };
}

/** Names in code unit order, so that no locale changes which picture has which number. */
const byName = <T extends { readonly name: string }>(entries: readonly T[]): T[] =>
  [...entries].sort((a, b) => (a.name < b.name ? -1 : 1));

/** Whether an archive's entry is a folder, or one of the files that archivers and WebDataset put beside pictures. */
export function isBesidePictures(name: string): boolean {
  const base = name.slice(name.lastIndexOf('/') + 1);
  return base === '' || base.startsWith('.') || name.startsWith('__MACOSX/') || BESIDE.test(base);
}

const BESIDE = /\.(txt|json|jsonl|csv|tsv|cls|npy|npz|md|html|xml|ya?ml|parquet|idx|pyd|pkl)$/i;
