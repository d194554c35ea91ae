/** A zip archive, read in place: the directory at its end once, then each entry by its offset. */

import type { Readable } from 'node:stream';
import yauzl, { type Entry, type ZipFile } from 'yauzl';
import { messageOf, UserError } from '../../../base/errors.ts';
import {
  byName,
  type Container,
  fileStamp,
  isBesidePictures,
  maxEntryBytes,
  type Rejected,
  tooLarge,
} from './container.ts';

/** Deflate does not reach this: an entry that claims more is made to fill memory. */
const MAX_RATIO = 1100;

/**
 * Open a zip archive, also one of more than 4 GiB. Nothing is unpacked to disk, so that names cannot lead anywhere.
 * @throws UserError if it is damaged or not a zip archive.
 */
export async function openZip(file: string): Promise<Container> {
  const zip = await opened(file);
  const stamp = fileStamp(file);
  const { entries, rejected } = await entriesOf(zip, file);
  return {
    path: file,
    names: entries.map(({ name }) => name),
    rejected,
    async read(index) {
      const { entry } = entries[index]!;
      try {
        return await collected(await streamOf(zip, entry), entry.uncompressedSize);
      } catch (error) {
        throw new UserError(`cannot be unpacked: ${messageOf(error)}`);
      }
    },
    stamp: () => stamp,
    close: async () => zip.close(),
  };
}

const damaged = (file: string, error: unknown): UserError =>
  new UserError(`cannot read the zip archive ${file}: ${messageOf(error)}`);

function opened(file: string): Promise<ZipFile> {
  // Names are only shown, never used as paths: a strange one is no reason to refuse the archive.
  const options = { lazyEntries: true, autoClose: false, decodeStrings: false, validateEntrySizes: true } as const;
  return new Promise((resolve, reject) =>
    yauzl.open(file, options, (error, zip) => (error ? reject(damaged(file, error)) : resolve(zip))),
  );
}

interface Named {
  readonly name: string;
  readonly entry: Entry;
}

function entriesOf(zip: ZipFile, file: string): Promise<{ entries: Named[]; rejected: Rejected[] }> {
  const entries: Named[] = [];
  const rejected: Rejected[] = [];
  return new Promise((resolve, reject) => {
    zip.on('error', (error) => reject(damaged(file, error)));
    zip.on('end', () => resolve({ entries: byName(entries), rejected }));
    zip.on('entry', (entry: Entry) => {
      const name = yauzl.getFileNameLowLevel(entry.generalPurposeBitFlag, entry.fileNameRaw, entry.extraFields, false);
      const reason = reasonToReject(entry);
      if (!isBesidePictures(name)) {
        if (reason === undefined) entries.push({ name, entry });
        else rejected.push({ path: name, reason });
      }
      zip.readEntry();
    });
    zip.readEntry();
  });
}

function reasonToReject(entry: Entry): string | undefined {
  if (entry.isEncrypted()) return 'encrypted: unpack the archive with its password and give the folder';
  if (entry.uncompressedSize > maxEntryBytes) return tooLarge(entry.uncompressedSize);
  if (entry.uncompressedSize > MAX_RATIO * Math.max(1, entry.compressedSize))
    return `claims to unpack ${entry.compressedSize} bytes to ${entry.uncompressedSize}, which no picture does`;
  if (entry.compressionMethod !== 0 && entry.compressionMethod !== 8)
    return `compressed by method ${entry.compressionMethod}, which is not read: pack again with deflate`;
  return undefined;
}

const streamOf = (zip: ZipFile, entry: Entry): Promise<Readable> =>
  new Promise((resolve, reject) =>
    zip.openReadStream(entry, (error, stream) => (error ? reject(error) : resolve(stream))),
  );

async function collected(stream: Readable, size: number): Promise<Uint8Array> {
  const bytes = new Uint8Array(size);
  let at = 0;
  for await (const chunk of stream) {
    bytes.set(chunk as Uint8Array, at);
    at += (chunk as Uint8Array).length;
  }
  if (at !== size) throw new Error(`${at} bytes where ${size} are stated`);
  return bytes;
}
