/** Safetensors files: what `safetensors-bytes.ts` reads and writes, on the disk. */
import { createHash, type Hash } from 'node:crypto';
import fs from 'node:fs';
import { UserError } from '../base/errors.ts';
import type { NDArray } from '../base/ndarray.ts';
import type { Spec } from '../graph/index.ts';
import { type Finish, writeFileAtomic, writeStreamAtomic } from './atomic.ts';
import { fileError, systemCode } from './file-errors.ts';
import { fitsFloat16, float32ToFloat16, shortFloat16 } from './half.ts';
import { openRegular } from './regular-file.ts';
import {
  type ByteSource,
  bytesOf,
  checkArray,
  decodeTensor,
  encodeEntries,
  encodeFront,
  encodeSafetensors,
  inOrder,
  namedTensors,
  type PlacedHeader,
  placed,
  readHeader,
  readTensor,
  type Safetensors,
} from './safetensors-bytes.ts';
import { byteSize, quoted, type TensorEntry } from './safetensors-header.ts';
import { blankSeal, checkSeal, SealSum, sealPlace } from './seal.ts';

/**
 * Reads a safetensors file, with the types that `parseSafetensors` gives.
 *
 * @throws UserError, one line naming the file (and tensor): missing or unreadable, truncated, foreign, inconsistent,
 * or with values that no DType can represent.
 */
export function readSafetensors(path: string): Safetensors {
  return withFile(path, (source) => readWhole(source, path));
}

/**
 * The same, and the SHA-256, in hex, of the file without some of its texts (`hashWithoutTexts`): read once for both.
 *
 * @throws UserError as `readSafetensors` does.
 */
export function readHashed(path: string, without: readonly string[]): Safetensors & { readonly hash: string } {
  return withFile(path, (source) => {
    const hash = createHash('sha256');
    return { ...readWhole(source, path, { hash, without }), hash: hash.digest('hex') };
  });
}

/** Everything in a file, each byte read once; checked against its checksum, and added to a hash if one is given. */
function readWhole(
  source: ByteSource,
  path: string,
  also?: { readonly hash: Hash; readonly without: readonly string[] },
): Safetensors {
  const header = readHeader(source, path);
  const { entries, metadata, end } = header;
  const front = source.read(0, end);
  const read = entries.map((entry) => ({ entry, bytes: source.read(end + entry.begin, end + entry.end) }));
  const inFile = read.toSorted((a, b) => a.entry.begin - b.entry.begin).map(({ bytes }) => bytes);
  checkSeal(front, inFile, path);
  if (also) {
    also.hash.update(frontWithout(header, also.without) ?? front);
    for (const bytes of inFile) also.hash.update(bytes);
  }
  const named = read.map(({ entry, bytes }) => [entry.name, decodeTensor(entry, bytes.buffer, path)] as const);
  return { tensors: namedTensors(named), metadata };
}

/** What stands before the data, without some of its texts; undefined if it has none of them. */
function frontWithout({ entries, metadata }: PlacedHeader, without: readonly string[]): Uint8Array | undefined {
  if (without.every((key) => !(key in metadata))) return undefined;
  const kept = Object.entries(metadata).filter(([key]) => !without.includes(key));
  return encodeEntries(entries, Object.fromEntries(kept));
}

/**
 * The texts of a safetensors file; of the rest only the header is read and checked.
 *
 * @throws UserError as `readSafetensors` does.
 */
export function readMetadata(path: string): Record<string, string> {
  return withFile(path, (source) => readHeader(source, path).metadata);
}

/**
 * One tensor of a safetensors file, by its name; undefined if it has none of that name. The others are not read, nor
 * their checksum.
 *
 * @throws UserError as `readSafetensors` does.
 */
export function readTensorOf(path: string, name: string): NDArray | undefined {
  return withFile(path, (source) => {
    const header = readHeader(source, path);
    const entry = header.entries.find((one) => one.name === name);
    return entry && readTensor(source, header, entry, path);
  });
}

/**
 * Reads a safetensors file as `readSafetensors` does and hands its tensors over one after another, so that no more than
 * one of them is in memory on its way.
 *
 * @throws UserError as `readSafetensors` does, for a tensor when its turn comes. What `use` throws passes through.
 */
export async function eachTensor(path: string, use: (name: string, array: NDArray) => Promise<void>): Promise<void> {
  const file = openFile(path);
  try {
    const source = fileSource(file, path);
    const header = readHeader(source, path);
    checkSource(source, path);
    for (const entry of header.entries) await use(entry.name, readTensor(source, header, entry, path));
  } catch (error) {
    throw systemCode(error) === undefined ? error : fileError('read', path, error);
  } finally {
    fs.closeSync(file);
  }
}

function openFile(path: string): number {
  try {
    return openRegular(path);
  } catch (error) {
    throw systemCode(error) === undefined ? error : fileError('read', path, error);
  }
}

/** Check a file's bytes against the checksum it carries, if it carries one. */
function checkSource(source: ByteSource, path: string): void {
  const { end } = readHeader(source, path);
  checkSeal(source.read(0, end), dataOf(source, end), path);
}

/** The data after the header, in pieces. */
function* dataOf(source: ByteSource, begin: number): Iterable<Uint8Array> {
  for (let at = begin; at < source.size; at += PIECE) yield source.read(at, Math.min(source.size, at + PIECE));
}

const PIECE = 2 ** 22;

function withFile<T>(path: string, use: (source: ByteSource) => T): T {
  let file: number | undefined;
  try {
    file = openRegular(path);
    return use(fileSource(file, path));
  } catch (error) {
    throw systemCode(error) === undefined ? error : fileError('read', path, error);
  } finally {
    if (file !== undefined) fs.closeSync(file);
  }
}

/**
 * Writes tensors (any names but `__metadata__`) and texts to `path`, atomically.
 *
 * @throws UserError when the disk refuses.
 */
export function writeSafetensors(
  path: string,
  tensors: Readonly<Record<string, NDArray>>,
  metadata: Readonly<Record<string, string>> = {},
): void {
  const chunks = encodeSafetensors(tensors, blankSeal(metadata));
  const at = sealPlace(chunks[0]!);
  if (at !== undefined) {
    const sum = new SealSum();
    for (const chunk of chunks) sum.add(chunk);
    chunks[0]!.set(sum.digits(), at);
  }
  writeFileAtomic(path, chunks);
}

/**
 * The same, tensor by tensor: `read` is called for one after another, in the order of the file, so that no more than
 * one of them is in memory on its way.
 *
 * @throws UserError when the disk refuses; nothing is left behind then. What `read` throws passes through.
 */
export async function writeSafetensorsFrom(
  path: string,
  specs: Readonly<Record<string, Spec>>,
  metadata: Readonly<Record<string, string>>,
  read: (name: string) => Promise<NDArray> | NDArray,
  { beforeCommit }: Pick<Finish, 'beforeCommit'> = {},
): Promise<void> {
  const front = encodeFront(specs, blankSeal(metadata));
  const at = sealPlace(front);
  const sum = new SealSum();
  const summed = (bytes: Uint8Array): Uint8Array => {
    if (at !== undefined) sum.add(bytes);
    return bytes;
  };
  async function* chunks(): AsyncGenerator<Uint8Array> {
    yield summed(front);
    for (const [name, spec] of inOrder(specs)) {
      const array = await read(name);
      if (array.dtype !== spec.dtype) throw new Error(`tensor ${quoted(name)} is ${array.dtype}, not ${spec.dtype}`);
      checkArray(name, { ...array, shape: spec.shape });
      yield summed(bytesOf(array.data));
    }
  }
  const patch = () => (at === undefined ? undefined : { at, bytes: sum.digits() });
  await writeStreamAtomic(path, chunks(), { patch, beforeCommit });
}

/**
 * SHA-256 of what comes after a file's header, in hex: of its tensors alone. @throws UserError if it cannot be read.
 */
export function hashTensors(path: string): string {
  return withFile(path, (source) => {
    const hash = createHash('sha256');
    for (const piece of dataOf(source, readHeader(source, path).end)) hash.update(piece);
    return hash.digest('hex');
  });
}

/**
 * Copy a file with further texts. Its tensors stay as they are, a checksum that it carries is made anew; no more than a
 * piece of it is in memory on its way.
 * @throws UserError if it cannot be read, or the disk refuses.
 */
export function copyWithTexts(from: string, to: string, texts: Readonly<Record<string, string>>): Promise<void> {
  return copied(from, to, texts, (source, { entries, end }) => ({ entries, data: dataOf(source, end) }));
}

/**
 * Copy a file with its float32 tensors as float16: each number rounded to the nearest one of 8 fraction bits
 * (`shortFloat16`), tensors with numbers that are too large left as they are. A checksum that it carries is made anew;
 * one tensor at a time is in memory.
 * @throws UserError if it cannot be read, or the disk refuses.
 */
export function copyAsFloat16(from: string, to: string): Promise<void> {
  return copied(from, to, {}, (source, header) => {
    const floatsOf = (entry: TensorEntry) => {
      const { data } = readTensor(source, header, entry, from);
      return entry.format === 'F32' && data instanceof Float32Array && fitsFloat16(data) ? data : undefined;
    };
    const kept = header.entries.map((entry) => ({ entry, isHalf: floatsOf(entry) !== undefined }));
    // Wider elements first, so that all lie aligned.
    const width = ({ entry: { format }, isHalf }: (typeof kept)[number]) => (isHalf ? 2 : byteSize(format, []));
    const ordered = kept.toSorted((a, b) => width(b) - width(a));
    function* data() {
      for (const { entry, isHalf } of ordered)
        yield isHalf
          ? bytesOf(shortFloat16(float32ToFloat16(floatsOf(entry)!)))
          : source.read(header.end + entry.begin, header.end + entry.end);
    }
    const entries = ordered.map(({ entry, isHalf }) => (isHalf ? { ...entry, format: 'F16' as const } : entry));
    return { entries: placed(entries), data: data() };
  });
}

/** Copy a file with other entries and their data. */
async function copied(
  from: string,
  to: string,
  texts: Readonly<Record<string, string>>,
  change: (
    source: ByteSource,
    header: PlacedHeader,
  ) => { readonly entries: readonly TensorEntry[]; readonly data: Iterable<Uint8Array> },
): Promise<void> {
  const file = openFile(from);
  try {
    const source = fileSource(file, from);
    const header = readHeader(source, from);
    const { entries, data } = change(source, header);
    const front = encodeEntries(entries, blankSeal({ ...header.metadata, ...texts }));
    const at = sealPlace(front);
    const sum = new SealSum();
    async function* chunks(): AsyncGenerator<Uint8Array> {
      sum.add(front);
      yield front;
      for (const piece of data) {
        sum.add(piece);
        yield piece;
      }
    }
    const patch = () => (at === undefined ? undefined : { at, bytes: sum.digits() });
    await writeStreamAtomic(to, chunks(), { patch });
  } finally {
    fs.closeSync(file);
  }
}

/**
 * The bytes of a file as they would be without some of its texts, added to a hash. A file that is no safetensors file,
 * or has none of them, is hashed as it is.
 *
 * @throws UserError if it cannot be read.
 */
export function hashWithoutTexts(hash: Hash, path: string, without: readonly string[]): void {
  withFile(path, (source) => {
    const header = headerOf(source, path);
    const front = header && frontWithout(header, without);
    if (front) hash.update(front);
    for (const piece of dataOf(source, front ? header.end : 0)) hash.update(piece);
  });
}

function headerOf(source: ByteSource, path: string): PlacedHeader | undefined {
  try {
    return readHeader(source, path);
  } catch (error) {
    if (error instanceof UserError) return undefined;
    throw error;
  }
}

/** Reads tensor by tensor: a whole file may exceed what one buffer holds. */
function fileSource(file: number, path: string): ByteSource {
  const read = (begin: number, end: number): Uint8Array<ArrayBuffer> => {
    const bytes = new Uint8Array(end - begin);
    const most = 2 ** 30;
    for (let at = 0; at < bytes.length; ) {
      const got = fs.readSync(file, bytes, at, Math.min(most, bytes.length - at), begin + at);
      if (got === 0) throw new UserError(`${path}: the file shrank while it was read; run again`);
      at += got;
    }
    return bytes;
  };
  return { size: fs.fstatSync(file).size, read };
}
