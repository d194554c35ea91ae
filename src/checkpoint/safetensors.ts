/** Safetensors files on the disk: what `safetensors-bytes.ts` reads and writes, with the checksum of `seal.ts`. */
import { createHash, type Hash } from 'node:crypto';
import { bytesOf, type NDArray } from '../base/ndarray.ts';
import { type Finish, writeFileAtomic } from '../files/atomic.ts';
import type { Spec } from '../graph/index.ts';
import { openByteSource, piecesFrom } from './file-source.ts';
import {
  type ByteSource,
  checkArray,
  decodeTensor,
  encodeFront,
  encodeSafetensors,
  inOrder,
  namedTensors,
  readBytes,
  readHeader,
  readTensor,
  type Safetensors,
} from './safetensors-bytes.ts';
import { frontWithout } from './safetensors-hashes.ts';
import { quoted } from './safetensors-header.ts';
import { blankSeal, checkSeal, SealSum, sealPlace } from './seal.ts';
import { writeSealed } from './sealed-file.ts';

/**
 * Reads a safetensors file, with the types that `parseSafetensors` gives.
 *
 * @throws UserError, one line naming the file (and tensor): missing or unreadable, truncated, foreign, inconsistent,
 * with a checksum that does not belong to its bytes, or with values that no DType can represent.
 */
export function readSafetensors(path: string): Safetensors {
  using source = openByteSource(path);
  return readWhole(source, path);
}

/**
 * `readSafetensors`, and the SHA-256, in hex, of the file without some of its texts (`hashWithoutTexts`): read once for
 * both.
 *
 * @param without the names of these texts.
 * @throws UserError as `readSafetensors` does.
 */
export function readHashed(path: string, without: readonly string[]): Safetensors & { readonly hash: string } {
  using source = openByteSource(path);
  const hash = createHash('sha256');
  return { ...readWhole(source, path, { hash, without }), hash: hash.digest('hex') };
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
  const read = entries.map((entry) => ({ entry, bytes: readBytes(source, end, entry) }));
  const inFile = read.toSorted((a, b) => a.entry.begin - b.entry.begin).map(({ bytes }) => bytes);
  checkSeal(front, inFile, path);
  if (also) {
    also.hash.update(frontWithout(header, also.without) ?? front);
    for (const bytes of inFile) also.hash.update(bytes);
  }
  const named = read.map(({ entry, bytes }) => [entry.name, decodeTensor(entry, bytes, path)] as const);
  return { tensors: namedTensors(named), metadata };
}

/**
 * The texts of a safetensors file; of the rest only the header is read and checked.
 *
 * @throws UserError as `readSafetensors` does.
 */
export function readMetadata(path: string): Record<string, string> {
  using source = openByteSource(path);
  return readHeader(source, path).metadata;
}

/**
 * One tensor of a safetensors file, by its name; undefined if there is none of that name. The others are not read, and
 * the checksum is not checked.
 *
 * @throws UserError as `readSafetensors` does.
 */
export function readTensorOf(path: string, name: string): NDArray | undefined {
  using source = openByteSource(path);
  const header = readHeader(source, path);
  const entry = header.entries.find((one) => one.name === name);
  return entry && readTensor(source, header, entry, path);
}

/**
 * Reads a safetensors file as `readSafetensors` does and hands its tensors over one after another, so that no more than
 * one of them is in memory on its way.
 *
 * @throws UserError as `readSafetensors` does, for a tensor when its turn comes. What `use` throws passes through.
 */
export async function eachTensor(path: string, use: (name: string, array: NDArray) => Promise<void>): Promise<void> {
  using source = openByteSource(path);
  const header = readHeader(source, path);
  checkSeal(source.read(0, header.end), piecesFrom(source, header.end), path);
  for (const entry of header.entries) await use(entry.name, readTensor(source, header, entry, path));
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
 * `writeSafetensors` tensor by tensor: `read` is called for one after another, in the order of the file, so that no
 * more than one of them is in memory on its way.
 *
 * @throws UserError when the disk refuses; nothing is left behind then. What `read` throws passes through.
 */
export async function writeSafetensorsFrom(
  path: string,
  specs: Readonly<Record<string, Spec>>,
  metadata: Readonly<Record<string, string>>,
  read: (name: string) => Promise<NDArray> | NDArray,
  finish: Pick<Finish, 'beforeCommit'> = {},
): Promise<void> {
  async function* data(): AsyncGenerator<Uint8Array> {
    for (const [name, spec] of inOrder(specs)) {
      const array = await read(name);
      if (array.dtype !== spec.dtype) throw new Error(`tensor ${quoted(name)} is ${array.dtype}, not ${spec.dtype}`);
      checkArray(name, { ...array, shape: spec.shape });
      yield bytesOf(array.data);
    }
  }
  await writeSealed(path, encodeFront(specs, blankSeal(metadata)), data(), finish);
}
