/**
 * Reads and writes safetensors files. Reading is strict and refuses damaged and foreign files in one line; writing is
 * deterministic: equal tensors and metadata give equal bytes. Hosts are assumed little-endian, as the format is.
 */
import fs from 'node:fs';
import { UserError } from '../base/errors.ts';
import { type DType, type NDArray, sizeOf } from '../base/ndarray.ts';
import type { Spec } from '../graph/index.ts';
import { writeFileAtomic, writeStreamAtomic } from './atomic.ts';
import { fileError, systemCode } from './file-errors.ts';
import { bfloat16ToFloat32, float16ToFloat32 } from './half.ts';
import { byteSize, type Format, parseHeader, quoted, type TensorEntry } from './safetensors-header.ts';

export interface Safetensors {
  readonly tensors: Record<string, NDArray>;
  readonly metadata: Record<string, string>;
}

/** The length of the header stands before it, as an unsigned 64-bit number. */
const PREFIX_BYTES = 8;
/** The limit of the format, against headers that exhaust the memory. */
const MAX_HEADER_BYTES = 100_000_000;

/**
 * Reads a safetensors file. F32, F64, I32 and BOOL keep their values bit by bit; F16 and BF16 widen to float32, U8 to
 * int32; I64 narrows to int32 where every value fits.
 *
 * @throws UserError, one line naming the file (and tensor): missing or unreadable, truncated, foreign, inconsistent,
 * or with values that no DType can represent.
 */
export function readSafetensors(path: string): Safetensors {
  return withFile(path, (source) => decode(source, path));
}

/**
 * The texts of a safetensors file; of the rest only the header is read and checked.
 *
 * @throws UserError as `readSafetensors` does.
 */
export function readMetadata(path: string): Record<string, string> {
  return withFile(path, (source) => {
    const headerEnd = findHeaderEnd(source, path);
    return parseHeader(source.read(PREFIX_BYTES, headerEnd), source.size - headerEnd, path).metadata;
  });
}

/**
 * Reads a safetensors file as `readSafetensors` does and hands its tensors over one after another, so that no more than one of
 * them is in memory on its way.
 *
 * @throws UserError as `readSafetensors` does, for a tensor when its turn comes. What `use` throws passes through.
 */
export async function eachTensor(path: string, use: (name: string, array: NDArray) => Promise<void>): Promise<void> {
  const { entries, headerEnd } = withFile(path, (source) => {
    const end = findHeaderEnd(source, path);
    return { ...parseHeader(source.read(PREFIX_BYTES, end), source.size - end, path), headerEnd: end };
  });
  for (const entry of entries) {
    const array = withFile(path, (source) => {
      const { buffer } = source.read(headerEnd + entry.begin, headerEnd + entry.end);
      return decodeTensor(entry, buffer, path);
    });
    await use(entry.name, array);
  }
}

function withFile<T>(path: string, use: (source: ByteSource) => T): T {
  let file: number | undefined;
  try {
    file = fs.openSync(path, 'r');
    return use(fileSource(file, path));
  } catch (error) {
    throw systemCode(error) === undefined ? error : fileError('read', path, error);
  } finally {
    if (file !== undefined) fs.closeSync(file);
  }
}

/** `readSafetensors` for a file in memory; `label` names it in messages. The arrays are copies. */
export function parseSafetensors(bytes: Uint8Array, label: string): Safetensors {
  return decode({ size: bytes.length, read: (begin, end) => new Uint8Array(bytes.subarray(begin, end)) }, label);
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

/**
 * The bytes of a safetensors file, in pieces that share memory with the arrays. Widest elements first, then by name, and
 * a header padded to a multiple of 8: every array is aligned to its element size, and the order of keys does not matter.
 */
export function encodeSafetensors(
  tensors: Readonly<Record<string, NDArray>>,
  metadata: Readonly<Record<string, string>> = {},
): Uint8Array[] {
  for (const [name, array] of Object.entries(tensors)) checkArray(name, array);
  return [...encodeFront(tensors, metadata), ...inOrder(tensors).map(([, { data }]) => bytesOf(data))];
}

/** All that stands before the data. */
function encodeFront(specs: Readonly<Record<string, Spec>>, metadata: Readonly<Record<string, string>>): Uint8Array[] {
  const members: string[] = [];
  const texts = Object.entries(metadata).sort(byName);
  if (texts.length > 0) members.push(`"__metadata__":${jsonObject(texts.map(([key, text]) => jsonMember(key, text)))}`);
  let offset = 0;
  for (const [name, { dtype, shape }] of inOrder(specs)) {
    const end = offset + byteSize(FORMAT_OF[dtype], shape);
    members.push(jsonMember(name, { dtype: FORMAT_OF[dtype], shape, data_offsets: [offset, end] }));
    offset = end;
  }
  return encodeHeader(jsonObject(members));
}

/** Random access to a file's bytes; `read` returns a fresh array, so that any element type can be laid over it. */
interface ByteSource {
  readonly size: number;
  read(begin: number, end: number): Uint8Array<ArrayBuffer>;
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

function decode(source: ByteSource, label: string): Safetensors {
  const headerEnd = findHeaderEnd(source, label);
  const { entries, metadata } = parseHeader(source.read(PREFIX_BYTES, headerEnd), source.size - headerEnd, label);
  const named = entries.map((entry) => {
    const bytes = source.read(headerEnd + entry.begin, headerEnd + entry.end);
    return [entry.name, decodeTensor(entry, bytes.buffer, label)] as const;
  });
  // Unlike assignment, fromEntries treats the name "__proto__" as any other.
  return { tensors: Object.fromEntries(named), metadata };
}

function findHeaderEnd(source: ByteSource, label: string): number {
  const advice = 'give a complete safetensors file';
  if (source.size < PREFIX_BYTES) {
    throw new UserError(`${label}: ${source.size} bytes are too few for a safetensors file; ${advice}`);
  }
  const length = new DataView(source.read(0, PREFIX_BYTES).buffer).getBigUint64(0, true);
  if (length > MAX_HEADER_BYTES) {
    throw new UserError(`${label}: not a safetensors file (it announces a header of ${length} bytes); ${advice}`);
  }
  const end = PREFIX_BYTES + Number(length);
  if (end > source.size) {
    throw new UserError(`${label}: cut off within its header, or not a safetensors file; ${advice}`);
  }
  return end;
}

function decodeTensor({ name, format, shape }: TensorEntry, buffer: ArrayBuffer, label: string): NDArray {
  switch (format) {
    case 'F32':
      return { dtype: 'float32', shape, data: new Float32Array(buffer) };
    case 'F64':
      return { dtype: 'float64', shape, data: new Float64Array(buffer) };
    case 'F16':
      return { dtype: 'float32', shape, data: float16ToFloat32(new Uint16Array(buffer)) };
    case 'BF16':
      return { dtype: 'float32', shape, data: bfloat16ToFloat32(new Uint16Array(buffer)) };
    case 'I32':
      return { dtype: 'int32', shape, data: new Int32Array(buffer) };
    case 'U8':
      return { dtype: 'int32', shape, data: Int32Array.from(new Uint8Array(buffer)) };
    case 'I64': {
      const values = new BigInt64Array(buffer);
      const tooLarge = values.find((value) => BigInt.asIntN(32, value) !== value);
      if (tooLarge !== undefined) {
        throw new UserError(`${label}: tensor ${quoted(name)} holds ${tooLarge}, beyond int32; store smaller integers`);
      }
      return { dtype: 'int32', shape, data: Int32Array.from(values, Number) };
    }
    case 'BOOL': {
      const values = new Uint8Array(buffer);
      if (values.some((value) => value > 1)) {
        throw new UserError(
          `${label}: tensor ${quoted(name)} is BOOL but holds other bytes than 0 and 1; store it as U8`,
        );
      }
      return { dtype: 'bool', shape, data: values };
    }
  }
}

const FORMAT_OF = {
  float64: 'F64',
  float32: 'F32',
  int32: 'I32',
  bool: 'BOOL',
} satisfies Record<DType, Format>;

/** By UTF-16 code units: the same in every locale. */
function byName([a]: readonly [string, unknown], [b]: readonly [string, unknown]): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

/** As the file has them: widest elements first, then by name. */
const inOrder = <T extends Spec>(tensors: Readonly<Record<string, T>>): [string, T][] =>
  Object.entries(tensors).sort((a, b) => widthOf(b[1]) - widthOf(a[1]) || byName(a, b));

const widthOf = ({ dtype }: Spec): number => byteSize(FORMAT_OF[dtype], []);

/** These would be mistakes of the program, not of its user. */
function checkArray(name: string, { dtype, shape, data }: NDArray): void {
  if (name === '__metadata__') throw new Error('a tensor cannot be named __metadata__');
  if (data.byteLength !== byteSize(FORMAT_OF[dtype], shape)) {
    throw new Error(`tensor ${quoted(name)}: ${data.length} values for ${sizeOf(shape)} places of shape [${shape}]`);
  }
  if (dtype === 'bool' && data.some((value) => value > 1)) {
    throw new Error(`tensor ${quoted(name)}: a bool array holds other bytes than 0 and 1`);
  }
}

function bytesOf(data: NDArray['data']): Uint8Array {
  return new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
}

/** Written member by member: a JavaScript object would move names like "0" to the front. */
function jsonObject(members: readonly string[]): string {
  return `{${members.join(',')}}`;
}

function jsonMember(key: string, value: unknown): string {
  return `${JSON.stringify(key)}:${JSON.stringify(value)}`;
}

/** The length prefix and the header, padded with spaces so that the data starts at a multiple of 8. */
function encodeHeader(json: string): [Uint8Array, Uint8Array] {
  const unpadded = new TextEncoder().encode(json);
  const header = new Uint8Array(Math.ceil(unpadded.length / 8) * 8).fill(0x20);
  header.set(unpadded);
  const prefix = new Uint8Array(PREFIX_BYTES);
  new DataView(prefix.buffer).setBigUint64(0, BigInt(header.length), true);
  return [prefix, header];
}
