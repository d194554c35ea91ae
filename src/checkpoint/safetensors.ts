/** Safetensors files: what `safetensors-bytes.ts` reads and writes, on the disk. */
import fs from 'node:fs';
import { UserError } from '../base/errors.ts';
import type { NDArray } from '../base/ndarray.ts';
import type { Spec } from '../graph/index.ts';
import { writeFileAtomic, writeStreamAtomic } from './atomic.ts';
import { fileError, systemCode } from './file-errors.ts';
import { openRegular } from './regular-file.ts';
import {
  type ByteSource,
  bytesOf,
  checkArray,
  decodeSafetensors,
  encodeFront,
  encodeSafetensors,
  inOrder,
  readHeader,
  readTensor,
  type Safetensors,
} from './safetensors-bytes.ts';
import { quoted } from './safetensors-header.ts';

/**
 * Reads a safetensors file, with the types that `parseSafetensors` gives.
 *
 * @throws UserError, one line naming the file (and tensor): missing or unreadable, truncated, foreign, inconsistent,
 * or with values that no DType can represent.
 */
export function readSafetensors(path: string): Safetensors {
  return withFile(path, (source) => decodeSafetensors(source, path));
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
 * Reads a safetensors file as `readSafetensors` does and hands its tensors over one after another, so that no more than one of
 * them is in memory on its way.
 *
 * @throws UserError as `readSafetensors` does, for a tensor when its turn comes. What `use` throws passes through.
 */
export async function eachTensor(path: string, use: (name: string, array: NDArray) => Promise<void>): Promise<void> {
  const header = withFile(path, (source) => readHeader(source, path));
  for (const entry of header.entries)
    await use(
      entry.name,
      withFile(path, (source) => readTensor(source, header, entry, path)),
    );
}

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
  writeFileAtomic(path, encodeSafetensors(tensors, metadata));
}

/**
 * The same, tensor by tensor: `read` is asked for one after another, in the order of the file, so that no more than one of them is
 * in memory on its way.
 *
 * @throws UserError when the disk refuses; nothing is left behind then. What `read` throws passes through.
 */
export async function writeSafetensorsFrom(
  path: string,
  specs: Readonly<Record<string, Spec>>,
  metadata: Readonly<Record<string, string>>,
  read: (name: string) => Promise<NDArray> | NDArray,
): Promise<void> {
  async function* chunks(): AsyncGenerator<Uint8Array> {
    yield* encodeFront(specs, metadata);
    for (const [name, spec] of inOrder(specs)) {
      const array = await read(name);
      if (array.dtype !== spec.dtype) throw new Error(`tensor ${quoted(name)} is ${array.dtype}, not ${spec.dtype}`);
      checkArray(name, { ...array, shape: spec.shape });
      yield bytesOf(array.data);
    }
  }
  await writeStreamAtomic(path, chunks());
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
