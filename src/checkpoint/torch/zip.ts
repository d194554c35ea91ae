/**
 * Zip archives as PyTorch writes them: entries stored without compression, so that each is a byte range of the file,
 * and 64-bit sizes where 32 do not suffice. Format: PKWARE's APPNOTE.TXT.
 */

import { crc32 } from '../../files/crc32.ts';
import { type ByteSource, damaged } from './bytes.ts';

export interface ZipEntry {
  readonly name: string;
  /** Where its bytes begin in the file. */
  readonly begin: number;
  readonly size: number;
  readonly crc: number;
}

const LOCAL = 0x04034b50;
const CENTRAL = 0x02014b50;
const END = 0x06054b50;
const END64 = 0x06064b50;
const LOCATOR64 = 0x07064b50;
const [LOCAL_BYTES, CENTRAL_BYTES, END_BYTES, END64_BYTES, LOCATOR_BYTES] = [30, 46, 22, 56, 20];
/** In a 32-bit field: the value stands in the 64-bit extension instead. */
const EXTENDED = 0xffffffff;
const ENCRYPTED = 1;
const EXTENSION_ID = 1;
/** Entries cost memory before anything is known of them; real archives have a few thousand. */
const MAX_DIRECTORY_BYTES = 2 ** 26;
const CHUNK_BYTES = 2 ** 20;

/**
 * The entries of an archive by name. Directory and local headers must agree, and every range lies before the directory.
 *
 * @throws UserError, one line, for anything that is not a complete archive of stored entries.
 */
export function readZipDirectory(source: ByteSource): Map<string, ZipEntry> {
  const directory = findDirectory(source);
  const view = viewOf(source.read(directory.begin, directory.begin + directory.size));
  const entries = new Map<string, ZipEntry>();
  let at = 0;
  for (let index = 0; index < directory.count; index++) {
    const { entry, next } = readRecord(source, directory.begin, view, at);
    if (entries.has(entry.name)) throw damaged(source.label, `its archive holds ${entry.name} twice`);
    entries.set(entry.name, entry);
    at = next;
  }
  return entries;
}

/**
 * Bytes [begin, end) of an entry. The first call passes over the whole entry, a piece at a time, and checks its CRC;
 * `verified` remembers which entries have passed.
 *
 * @throws UserError when the checksum does not match.
 */
export function readEntry(
  source: ByteSource,
  entry: ZipEntry,
  begin: number,
  end: number,
  verified: Set<ZipEntry>,
): Uint8Array<ArrayBuffer> {
  if (verified.has(entry)) return source.read(entry.begin + begin, entry.begin + end);
  const wanted = new Uint8Array(end - begin);
  let crc = 0;
  for (let at = 0; at < entry.size; at += CHUNK_BYTES) {
    const stop = Math.min(entry.size, at + CHUNK_BYTES);
    const chunk = source.read(entry.begin + at, entry.begin + stop);
    crc = crc32(chunk, crc);
    const [from, to] = [Math.max(begin, at), Math.min(end, stop)];
    if (from < to) wanted.set(chunk.subarray(from - at, to - at), from - begin);
  }
  if (crc !== entry.crc) throw damaged(source.label, `the checksum of ${entry.name} does not match`);
  verified.add(entry);
  return wanted;
}

interface Directory {
  readonly begin: number;
  readonly size: number;
  readonly count: number;
}

/** The end record stands last; a comment of up to 64 KiB may follow it. */
function findDirectory(source: ByteSource): Directory {
  const tailBegin = Math.max(0, source.size - END_BYTES - 0xffff);
  const tail = viewOf(source.read(tailBegin, source.size));
  let at = tail.byteLength - END_BYTES;
  while (at >= 0 && tail.getUint32(at, true) !== END) at--;
  if (at < 0) throw damaged(source.label, 'its archive has no end: it is cut off');
  const short = {
    begin: tail.getUint32(at + 16, true),
    size: tail.getUint32(at + 12, true),
    count: tail.getUint16(at + 10, true),
  };
  const end = tailBegin + at;
  const directory = readEnd64(source, end) ?? { ...short, limit: end };
  const { begin, size, count, limit } = directory;
  if (begin + size > limit || count * CENTRAL_BYTES > size || size > MAX_DIRECTORY_BYTES) {
    throw damaged(source.label, 'the directory of its archive does not fit');
  }
  return directory;
}

/** The 64-bit end record, which a locator right before the plain one points to. PyTorch always writes it. */
function readEnd64(source: ByteSource, end: number): (Directory & { limit: number }) | undefined {
  if (end < LOCATOR_BYTES + END64_BYTES) return undefined;
  const locator = viewOf(source.read(end - LOCATOR_BYTES, end));
  if (locator.getUint32(0, true) !== LOCATOR64) return undefined;
  const at = safe(source, locator.getBigUint64(8, true));
  if (at + END64_BYTES > end - LOCATOR_BYTES) throw damaged(source.label, 'the directory of its archive does not fit');
  const record = viewOf(source.read(at, at + END64_BYTES));
  if (record.getUint32(0, true) !== END64)
    throw damaged(source.label, 'the directory of its archive is not where it should be');
  const field = (offset: number) => safe(source, record.getBigUint64(offset, true));
  return { count: field(32), size: field(40), begin: field(48), limit: at };
}

/** One record of the directory, with the local header it points to. */
function readRecord(source: ByteSource, limit: number, view: DataView, at: number): { entry: ZipEntry; next: number } {
  if (at + CENTRAL_BYTES > view.byteLength || view.getUint32(at, true) !== CENTRAL) {
    throw damaged(source.label, 'the directory of its archive is broken');
  }
  const [nameBytes, extraBytes, commentBytes] = [28, 30, 32].map((field) => view.getUint16(at + field, true)) as [
    number,
    number,
    number,
  ];
  const nameEnd = at + CENTRAL_BYTES + nameBytes;
  const next = nameEnd + extraBytes + commentBytes;
  if (next > view.byteLength) throw damaged(source.label, 'the directory of its archive is broken');
  const name = textOf(view, nameEnd - nameBytes, nameEnd);
  const fail = (reason: string) => damaged(source.label, `entry ${name} of its archive ${reason}`);
  if (view.getUint16(at + 8, true) & ENCRYPTED) throw fail('is encrypted');
  if (view.getUint16(at + 10, true) !== 0) throw fail('is compressed, which PyTorch never does');

  const extension = extensionReader(view, nameEnd, nameEnd + extraBytes);
  const field = (offset: number) => {
    const value = view.getUint32(at + offset, true);
    if (value !== EXTENDED) return value;
    const wide = extension();
    if (wide === undefined) throw fail('lacks its 64-bit sizes');
    return safe(source, wide);
  };
  // The order of the fields in the extension: size, compressed size, offset.
  const [size, stored, offset] = [field(24), field(20), field(42)] as const;
  if (size !== stored) throw fail('has two sizes');
  const begin = dataBegin(source, offset, name, limit, fail);
  if (begin + size > limit) throw fail('reaches beyond the file');
  return { entry: { name, begin, size, crc: view.getUint32(at + 16, true) }, next };
}

/** Where the bytes of an entry begin: after its local header, whose padding differs from that of the directory. */
function dataBegin(
  source: ByteSource,
  offset: number,
  name: string,
  limit: number,
  fail: (reason: string) => Error,
): number {
  const nameBegin = offset + LOCAL_BYTES;
  const nameBytes = Buffer.byteLength(name, 'latin1');
  if (nameBegin + nameBytes > limit) throw fail('reaches beyond the file');
  const header = viewOf(source.read(offset, nameBegin + nameBytes));
  const isSame =
    header.getUint32(0, true) === LOCAL &&
    header.getUint16(26, true) === nameBytes &&
    textOf(header, LOCAL_BYTES, LOCAL_BYTES + nameBytes) === name;
  if (!isSame) throw fail('is not where the directory says');
  return nameBegin + nameBytes + header.getUint16(28, true);
}

/** Reads the 64-bit values of an extra field one after the other; undefined once there are no more. */
function extensionReader(view: DataView, begin: number, end: number): () => bigint | undefined {
  let [at, stop] = [end, end];
  for (let block = begin; block + 4 <= end; block += 4 + view.getUint16(block + 2, true)) {
    if (view.getUint16(block, true) !== EXTENSION_ID) continue;
    at = block + 4;
    stop = Math.min(end, at + view.getUint16(block + 2, true));
    break;
  }
  return () => {
    if (at + 8 > stop) return undefined;
    at += 8;
    return view.getBigUint64(at - 8, true);
  };
}

function safe(source: ByteSource, value: bigint): number {
  if (value > BigInt(source.size)) throw damaged(source.label, 'its archive points beyond the end of the file');
  return Number(value);
}

const viewOf = (bytes: Uint8Array): DataView => new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);

/** Names are compared byte by byte: PyTorch's are ASCII. */
const textOf = (view: DataView, begin: number, end: number): string =>
  Buffer.from(view.buffer, view.byteOffset + begin, end - begin).toString('latin1');
