/**
 * A tar archive, WebDataset's shards included, read in place: its headers are walked once, then each file is read at
 * its offset. Our own reader, because the libraries stream from front to back, and pictures are wanted in any order.
 */

import type { FileHandle } from 'node:fs/promises';
import { messageOf, UserError } from '../../../base/errors.ts';
import {
  type ArchiveEntry,
  archiveContainer,
  bytesAt,
  type Container,
  distinct,
  fileStamp,
  isBesidePictures,
  maxEntryBytes,
  type Rejected,
  tooLarge,
  withFile,
} from './container.ts';
import {
  BLOCK,
  type Extension,
  extensionOf,
  isDamaged,
  isEmpty,
  isExtensionType,
  nameIn,
  sizeIn,
  typeReason,
} from './tar-header.ts';

/** Longer names and attributes are no names. */
const MAX_EXTENSION = 1 << 20;
/** Bytes read at once while the headers are walked: many small entries take few reads. */
const WINDOW = 8192;

interface Member extends ArchiveEntry {
  /** Where its bytes begin in the file. */
  readonly offset: number;
}

/**
 * Open an uncompressed tar archive (ustar, GNU or pax). Of WebDataset's samples (`key.jpg`, `key.txt`, `key.json`, …)
 * only the pictures are entries; links, sparse files and what lies behind the end are listed.
 * @throws UserError if it is damaged or cut off.
 */
export async function openTar(file: string): Promise<Container> {
  const stamp = fileStamp(file);
  const listed = await withFile(file, (handle) => new Walk(handle, file).members()).catch((error: unknown) =>
    Promise.reject(error instanceof UserError ? error : damaged(file, messageOf(error))),
  );
  return archiveContainer({ path: file, stamp, ...listed }, async ({ offset, size }, most) => {
    if (size === 0) return new Uint8Array(0);
    return withFile(file, async (handle) => {
      const bytes = await bytesAt(handle, offset, Math.min(size, most));
      if (bytes.length < Math.min(size, most)) throw new UserError('cut off: the archive ends inside it');
      return bytes;
    });
  });
}

const damaged = (file: string, what: string): UserError =>
  new UserError(`Cannot read the tar archive ${file}: ${what}`);

/** One walk over the headers of an archive. */
class Walk {
  readonly #rejected: Rejected[] = [];
  #window: { readonly at: number; readonly bytes: Uint8Array } = { at: 0, bytes: new Uint8Array(0) };

  constructor(
    private readonly handle: FileHandle,
    private readonly file: string,
  ) {}

  async members(): Promise<{ readonly entries: readonly Member[]; readonly rejected: readonly Rejected[] }> {
    const { size: end } = await this.handle.stat();
    const found: Member[] = [];
    let extension: Extension = {};
    for (let at = 0; at < end; ) {
      const header = await this.bytes(at, BLOCK);
      if (isEmpty(header)) {
        await this.lookBehind(at, end);
        break;
      }
      if (isDamaged(header)) throw this.damaged(`the header at byte ${at} is damaged`);
      const type = String.fromCharCode(header[156]!);
      const isExtension = isExtensionType(type);
      const size = (isExtension ? undefined : extension.size) ?? sizeIn(header);
      const offset = at + BLOCK;
      // A size that is no count of bytes would send the walk backwards.
      if (!Number.isSafeInteger(size) || size < 0) throw this.damaged(`the header at byte ${at} states no size`);
      if (offset + size > end) throw this.cutOff();
      at = offset + Math.ceil(size / BLOCK) * BLOCK;
      if (isExtension) {
        if (size > MAX_EXTENSION) throw this.damaged(`a name of ${size} bytes at byte ${offset}`);
        extension = { ...extension, ...extensionOf(type, await this.bytes(offset, size)) };
        continue;
      }
      const name = extension.name ?? nameIn(header);
      const reason = extension.isSparse ? typeReason('S', header) : typeReason(type, header);
      extension = {};
      if (type === '5' || isBesidePictures(name)) continue;
      if (reason !== undefined) this.#rejected.push({ path: name, reason });
      else if (size > maxEntryBytes) this.#rejected.push({ path: name, reason: tooLarge(size) });
      else found.push({ name, offset, size });
    }
    const { entries, rejected } = distinct(found);
    return { entries, rejected: [...this.#rejected, ...rejected] };
  }

  /** Behind the end of an archive there should be nothing but zeros; archives that were put together have more. */
  private async lookBehind(from: number, end: number): Promise<void> {
    const piece = 1 << 20;
    for (let at = from; at < end; at += piece) {
      const bytes = await bytesAt(this.handle, at, Math.min(piece, end - at));
      if (bytes.length === 0) return;
      const first = bytes.findIndex((byte) => byte !== 0);
      if (first < 0) continue;
      this.#rejected.push({
        path: '(behind the end mark)',
        reason: `${end - at - first} bytes lie behind the end mark of the archive, as where archives were put together: unpack it with tar -i, or pack it anew`,
      });
      return;
    }
  }

  private async bytes(at: number, size: number): Promise<Uint8Array> {
    const { at: start, bytes } = this.#window;
    if (at >= start && at + size <= start + bytes.length) return bytes.subarray(at - start, at - start + size);
    const fresh = await bytesAt(this.handle, at, Math.max(size, WINDOW));
    if (fresh.length < size) throw this.cutOff();
    this.#window = { at, bytes: fresh };
    return fresh.subarray(0, size);
  }

  private damaged(what: string): UserError {
    return damaged(this.file, what);
  }

  private cutOff(): UserError {
    return this.damaged('it is cut off; copy it again');
  }
}
