/**
 * Safetensors as bytes, without a file system. Reading is strict and refuses damaged and foreign files in one line;
 * writing is deterministic: equal tensors and metadata give equal bytes. Hosts are assumed little-endian, as the format
 * is.
 */
import { UserError } from '../base/errors.ts';
import { bytesOf, type DType, type NDArray, sizeOf } from '../base/ndarray.ts';
import type { Spec } from '../graph/index.ts';
import { bfloat16ToFloat32, float16ToFloat32, wordsOver } from './half.ts';
import { byteSize, type Format, type Header, parseHeader, quoted, type TensorEntry } from './safetensors-header.ts';

export interface Safetensors {
  readonly tensors: Record<string, NDArray>;
  readonly metadata: Record<string, string>;
}

/** The length of the header stands before it, as an unsigned 64-bit number. */
const PREFIX_BYTES = 8;
/** The limit of the format, against headers that exhaust the memory. */
const MAX_HEADER_BYTES = 100_000_000;

/**
 * Reads a safetensors file in memory; `label` names it in messages. F32, F64, I32 and BOOL keep their values bit by
 * bit; F16 and BF16 widen to float32, U8 to int32; I64 narrows to int32 where every value fits. The arrays are copies.
 *
 * @throws UserError, one line naming the file (and tensor): truncated, foreign, inconsistent, or with values that no
 * DType can represent.
 */
export function parseSafetensors(bytes: Uint8Array, label: string): Safetensors {
  return decodeSafetensors(
    {
      size: bytes.length,
      read(begin, end, spare) {
        const own = ownBytes(end - begin, spare);
        own.set(bytes.subarray(begin, end));
        return own;
      },
    },
    label,
  );
}

/**
 * The bytes of a safetensors file, in pieces that share memory with the arrays. Widest elements first, then by name,
 * and a header padded to a multiple of 8: every array is aligned to its element size, and the order of keys does not
 * matter.
 */
export function encodeSafetensors(
  tensors: Readonly<Record<string, NDArray>>,
  metadata: Readonly<Record<string, string>> = {},
): Uint8Array[] {
  for (const [name, array] of Object.entries(tensors)) checkArray(name, array);
  return [encodeFront(tensors, metadata), ...inOrder(tensors).map(([, { data }]) => bytesOf(data))];
}

/** Everything before the data: length and header. */
export function encodeFront(
  specs: Readonly<Record<string, Spec>>,
  metadata: Readonly<Record<string, string>>,
): Uint8Array {
  const named = inOrder(specs).map(([name, { dtype, shape }]) => ({ name, format: FORMAT_OF[dtype], shape }));
  return encodeEntries(placed(named), metadata);
}

/** Entries whose data lie one after another in this order. */
export function placed(named: readonly Pick<TensorEntry, 'name' | 'format' | 'shape'>[]): TensorEntry[] {
  let end = 0;
  return named.map(({ name, format, shape }) => {
    const begin = end;
    end += byteSize(format, shape);
    return { name, format, shape, begin, end };
  });
}

/** Length and header of a file with these entries and texts; the entries may be those of another file. */
export function encodeEntries(entries: readonly TensorEntry[], metadata: Readonly<Record<string, string>>): Uint8Array {
  const members: string[] = [];
  const texts = Object.entries(metadata).sort(byName);
  if (texts.length > 0) members.push(`"__metadata__":${jsonObject(texts.map(([key, text]) => jsonMember(key, text)))}`);
  for (const { name, format, shape, begin, end } of entries)
    members.push(jsonMember(name, { dtype: format, shape, data_offsets: [begin, end] }));
  return encodeHeader(jsonObject(members));
}

/** Random access to a file's bytes; `read` returns a fresh array, so that any element type can be laid over it. */
export interface ByteSource {
  readonly size: number;
  /** Bytes in memory of their own, behind `spare` bytes that are free; 0 by default. */
  read(begin: number, end: number, spare?: number): Uint8Array<ArrayBuffer>;
}

/** Zeros behind `spare` bytes that are free. */
export const ownBytes = (length: number, spare = 0): Uint8Array<ArrayBuffer> =>
  new Uint8Array(new ArrayBuffer(spare + length), spare);

/** Everything that a source holds, as `parseSafetensors` reads it. */
function decodeSafetensors(source: ByteSource, label: string): Safetensors {
  const header = readHeader(source, label);
  const named = header.entries.map((entry) => [entry.name, readTensor(source, header, entry, label)] as const);
  return { tensors: namedTensors(named), metadata: header.metadata };
}

/** Tensors by their names, whatever these are: unlike assignment, fromEntries treats "__proto__" as any other. */
export const namedTensors = (named: readonly (readonly [string, NDArray])[]): Record<string, NDArray> =>
  Object.fromEntries(named);

/** A header, and where the data behind it begins. */
export interface PlacedHeader extends Header {
  readonly end: number;
}

/** @throws UserError as `parseSafetensors` does. */
export function readHeader(source: ByteSource, label: string): PlacedHeader {
  const end = findHeaderEnd(source, label);
  return { ...parseHeader(source.read(PREFIX_BYTES, end), source.size - end, label), end };
}

/** @throws UserError as `parseSafetensors` does. */
export function readTensor(source: ByteSource, { end }: PlacedHeader, entry: TensorEntry, label: string): NDArray {
  return decodeTensor(entry, readBytes(source, end, entry), label);
}

/** The bytes of a tensor as `decodeTensor` takes them: before 16-bit numbers there is room to widen. */
export function readBytes(source: ByteSource, headerEnd: number, { format, begin, end }: TensorEntry): Bytes {
  const spare = format === 'F16' || format === 'BF16' ? end - begin : 0;
  return source.read(headerEnd + begin, headerEnd + end, spare);
}

type Bytes = Uint8Array<ArrayBuffer>;

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

/** A tensor from its bytes, over whose memory its array is laid. @throws UserError as `parseSafetensors` does. */
export function decodeTensor({ name, format, shape }: TensorEntry, bytes: Bytes, label: string): NDArray {
  const { buffer, byteOffset } = bytes;
  const widened = (widen: typeof float16ToFloat32) => {
    const bits = new Uint16Array(buffer, byteOffset);
    return widen(bits, wordsOver(bits));
  };
  switch (format) {
    case 'F32':
      return { dtype: 'float32', shape, data: new Float32Array(buffer) };
    case 'F64':
      return { dtype: 'float64', shape, data: new Float64Array(buffer) };
    case 'F16':
      return { dtype: 'float32', shape, data: widened(float16ToFloat32) };
    case 'BF16':
      return { dtype: 'float32', shape, data: widened(bfloat16ToFloat32) };
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
export const inOrder = <T extends Spec>(tensors: Readonly<Record<string, T>>): [string, T][] =>
  Object.entries(tensors).sort((a, b) => widthOf(b[1]) - widthOf(a[1]) || byName(a, b));

const widthOf = ({ dtype }: Spec): number => byteSize(FORMAT_OF[dtype], []);

/** @throws Error, since such an array is a mistake of the program and not of its user. */
export function checkArray(name: string, { dtype, shape, data }: NDArray): void {
  if (name === '__metadata__') throw new Error('a tensor cannot be named __metadata__');
  if (data.byteLength !== byteSize(FORMAT_OF[dtype], shape)) {
    throw new Error(`tensor ${quoted(name)}: ${data.length} values for ${sizeOf(shape)} places of shape [${shape}]`);
  }
  if (dtype === 'bool' && data.some((value) => value > 1)) {
    throw new Error(`tensor ${quoted(name)}: a bool array holds other bytes than 0 and 1`);
  }
}

/** Written member by member: a JavaScript object would move names like "0" to the front. */
function jsonObject(members: readonly string[]): string {
  return `{${members.join(',')}}`;
}

function jsonMember(key: string, value: unknown): string {
  return `${JSON.stringify(key)}:${JSON.stringify(value)}`;
}

/** The length prefix and the header, padded with spaces so that the data starts at a multiple of 8. */
function encodeHeader(json: string): Uint8Array {
  const unpadded = new TextEncoder().encode(json);
  const length = Math.ceil(unpadded.length / 8) * 8;
  const front = new Uint8Array(PREFIX_BYTES + length).fill(0x20);
  front.set(unpadded, PREFIX_BYTES);
  new DataView(front.buffer).setBigUint64(0, BigInt(length), true);
  return front;
}
