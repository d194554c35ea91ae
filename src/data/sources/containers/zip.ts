/** A zip archive, read in place: the directory at its end once, then each entry by its offset. */

import fs from 'node:fs';
import { Readable } from 'node:stream';
import yauzl, { type Entry, type ZipFile } from 'yauzl';
import { messageOf, UserError } from '../../../base/errors.ts';
import { crc32 } from '../../../files/crc32.ts';
import { readFully } from '../../../files/full-io.ts';
import { openRegular } from '../../../files/regular-file.ts';
import {
  type ArchiveEntry,
  archiveContainer,
  type Container,
  distinct,
  fileStamp,
  isBesidePictures,
  maxEntryBytes,
  type Rejected,
  tooLarge,
} from './container.ts';

/** Deflate does not reach this: an entry that claims more is made to fill memory. */
const MAX_RATIO = 1100;
/** Large pictures are packed already, so their ratio is limited more tightly. */
const [LARGE, MAX_RATIO_LARGE] = [1 << 26, 200];

/**
 * Open a zip archive, also one of more than 4 GiB. Nothing is unpacked to disk, so that names cannot lead anywhere.
 * @throws UserError if it is damaged or not a zip archive.
 */
export async function openZip(file: string): Promise<Container> {
  const reader = new ClosingReader(file);
  const stamp = fileStamp(file);
  const { zip, ...listed } = await reader.whileOpen(async () => {
    const archive = await opened(file, reader);
    return { zip: archive, ...(await entriesOf(archive, file)) };
  });
  return archiveContainer({ path: file, stamp, ...listed }, async ({ entry, size }, most) => {
    if (size === 0) return new Uint8Array(0);
    try {
      const bytes = await collected(await streamOf(zip, entry), size, most);
      // The library leaves this to its callers: a picture may be damaged and still decode.
      if (bytes.length === size && crc32(bytes) !== entry.crc32)
        throw new Error('its checksum is another: it is damaged');
      return bytes;
    } catch (error) {
      throw new UserError(`cannot be unpacked: ${messageOf(error)}`);
    }
  });
}

const damaged = (file: string, error: unknown): UserError =>
  new UserError(`Cannot read the zip archive ${file}: ${messageOf(error)}`);

function opened(file: string, reader: ClosingReader): Promise<ZipFile> {
  // Names are only shown, never used as paths: a strange one is no reason to refuse the archive.
  const options = { lazyEntries: true, autoClose: false, decodeStrings: false, validateEntrySizes: true } as const;
  return new Promise((resolve, reject) =>
    yauzl.fromRandomAccessReader(reader, fs.statSync(file).size, options, (error, zip) =>
      error ? reject(damaged(file, error)) : resolve(zip),
    ),
  );
}

/** Reads a file that is open only while it is read: thousands of archives do not hold thousands of files open. */
class ClosingReader extends yauzl.RandomAccessReader {
  /** The file, while its directory is read. */
  #held: number | undefined;

  constructor(private readonly file: string) {
    super();
  }

  async whileOpen<T>(use: () => Promise<T>): Promise<T> {
    const held = openRegular(this.file);
    this.#held = held;
    try {
      return await use();
    } finally {
      this.#held = undefined;
      fs.closeSync(held);
    }
  }

  override _readStreamForRange(start: number, end: number): Readable {
    return start >= end ? Readable.from([]) : fs.createReadStream(this.file, { start, end: end - 1 });
  }

  override read(
    buffer: Buffer,
    offset: number,
    length: number,
    position: number,
    callback: (error: Error | null) => void,
  ): void {
    const own = this.#held === undefined;
    let error: Error | null = null;
    try {
      const fd = this.#held ?? openRegular(this.file);
      try {
        if (readFully(fd, buffer.subarray(offset, offset + length), position) < length)
          throw new Error('unexpected end of the file');
      } finally {
        if (own) fs.closeSync(fd);
      }
    } catch (reason) {
      error = reason instanceof Error ? reason : new Error(String(reason));
    }
    setImmediate(() => callback(error));
  }
}

interface Named extends ArchiveEntry {
  readonly entry: Entry;
}

/** Bytes of an entry's local header, without its name. */
const LOCAL_HEADER = 30;

function entriesOf(zip: ZipFile, file: string): Promise<{ entries: readonly Named[]; rejected: readonly Rejected[] }> {
  const entries: Named[] = [];
  const rejected: Rejected[] = [];
  return new Promise((resolve, reject) => {
    zip.on('error', (error) => reject(damaged(file, error)));
    zip.on('end', () => {
      const apart = withoutOverlaps(entries);
      const named = distinct(apart.entries);
      resolve({ entries: named.entries, rejected: [...rejected, ...apart.rejected, ...named.rejected] });
    });
    zip.on('entry', (entry: Entry) => {
      const name = yauzl.getFileNameLowLevel(entry.generalPurposeBitFlag, entry.fileNameRaw, entry.extraFields, false);
      const reason = reasonToReject(entry);
      if (!isBesidePictures(name)) {
        if (reason === undefined) entries.push({ name, size: entry.uncompressedSize, entry });
        else rejected.push({ path: name, reason });
      }
      zip.readEntry();
    });
    zip.readEntry();
  });
}

/** Entries that share bytes are made to unpack to more than the archive holds: of those the first is used. */
function withoutOverlaps(entries: readonly Named[]): { entries: readonly Named[]; rejected: readonly Rejected[] } {
  const overlapping = new Set<Named>();
  let end = 0;
  for (const named of [...entries].sort(
    (a, b) => a.entry.relativeOffsetOfLocalHeader - b.entry.relativeOffsetOfLocalHeader,
  )) {
    const { relativeOffsetOfLocalHeader: start, compressedSize } = named.entry;
    if (start < end) overlapping.add(named);
    else end = start + LOCAL_HEADER + compressedSize;
  }
  return {
    entries: entries.filter((named) => !overlapping.has(named)),
    rejected: [...overlapping].map(({ name }) => ({
      path: name,
      reason: 'overlaps with another entry of the archive: pack it anew',
    })),
  };
}

function reasonToReject(entry: Entry): string | undefined {
  if (entry.isEncrypted()) return 'encrypted: unpack the archive with its password and give the folder';
  if (entry.uncompressedSize > maxEntryBytes) return tooLarge(entry.uncompressedSize);
  const most = entry.uncompressedSize > LARGE ? MAX_RATIO_LARGE : MAX_RATIO;
  if (entry.uncompressedSize > most * Math.max(1, entry.compressedSize))
    return `claims to unpack ${entry.compressedSize} bytes to ${entry.uncompressedSize}, which no picture does`;
  if (entry.compressionMethod !== 0 && entry.compressionMethod !== 8)
    return `compressed by method ${entry.compressionMethod}, which is not read: pack again with deflate`;
  return undefined;
}

const streamOf = (zip: ZipFile, entry: Entry): Promise<Readable> =>
  new Promise((resolve, reject) =>
    zip.openReadStream(entry, (error, stream) => (error ? reject(error) : resolve(stream))),
  );

/** The first `most` of the `size` bytes that a stream is to give; it is ended when there are so many. */
async function collected(stream: Readable, size: number, most: number): Promise<Uint8Array> {
  const bytes = new Uint8Array(Math.min(size, most));
  let at = 0;
  for await (const chunk of stream) {
    const piece = chunk as Uint8Array;
    if (most < size && at + piece.length >= bytes.length) {
      bytes.set(piece.subarray(0, bytes.length - at), at);
      return bytes;
    }
    if (at + piece.length > size) throw new Error(`more than the ${size} bytes that are stated`);
    bytes.set(piece, at);
    at += piece.length;
  }
  if (at !== size) throw new Error(`${at} bytes where ${size} are stated`);
  return bytes;
}
