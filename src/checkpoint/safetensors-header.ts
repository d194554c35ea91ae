/**
 * The header of a safetensors file, checked to the letter: which tensors there are, of which format and shape, and
 * which bytes belong to each. Format: https://huggingface.co/docs/safetensors
 */
import { messageOf, UserError } from '../base/errors.ts';
import { sizeOf } from '../base/ndarray.ts';
import { recordIn } from '../base/record.ts';
import { parseStrictJson } from '../files/strict-json.ts';

/** Bytes an element of each known format. */
const ELEMENT_BYTES = { F64: 8, I64: 8, F32: 4, I32: 4, F16: 2, BF16: 2, U8: 1, BOOL: 1 } as const;
export type Format = keyof typeof ELEMENT_BYTES;

export interface TensorEntry {
  readonly name: string;
  readonly format: Format;
  readonly shape: readonly number[];
  /** Byte range within the data section. */
  readonly begin: number;
  readonly end: number;
}

export interface Header {
  /** In the order of the file's header. */
  readonly entries: readonly TensorEntry[];
  readonly metadata: Record<string, string>;
}

/** What an entry's JSON holds. */
interface RawEntry {
  readonly dtype: string;
  readonly shape: readonly number[];
  readonly data_offsets: readonly [begin: number, end: number];
}

/** By hand: a schema would take longer to load than most files take to read. */
function isRawEntry(value: unknown): value is RawEntry {
  const areSizes = (list: unknown): list is readonly number[] =>
    Array.isArray(list) && list.every((size) => Number.isSafeInteger(size) && size >= 0);
  return (
    typeof recordIn(value, 'dtype') === 'string' &&
    areSizes(recordIn(value, 'shape')) &&
    areSizes(recordIn(value, 'data_offsets')) &&
    Object.keys(value as RawEntry).length === 3 &&
    (value as RawEntry).data_offsets.length === 2
  );
}

/**
 * Parses the header's JSON and checks it against `dataSize`, the number of bytes that follow it: known formats, byte
 * ranges that match the shapes and tile the data section without gap or overlap, no key twice.
 *
 * @throws UserError, one line that starts with `label`.
 */
export function parseHeader(json: Uint8Array, dataSize: number, label: string): Header {
  const fail = (reason: string): never => {
    throw new UserError(`${label}: ${reason}; the file is damaged or not a safetensors file: fetch or export it again`);
  };
  const { __metadata__: metadata = {}, ...tensors } = parseObject(json, fail);
  const entries = Object.entries(tensors).map(([name, value]) => parseEntry(name, value, label, fail));
  checkCoverage(entries, dataSize, fail);
  if (!isTextRecord(metadata)) return fail('its __metadata__ is not an object of texts');
  return { entries, metadata };
}

/** A tensor's name as it appears in messages: on one line, of bounded length. */
export function quoted(name: string): string {
  return JSON.stringify(name.length > 100 ? `${name.slice(0, 100)}…` : name);
}

/** Bytes of a tensor of this format and shape. */
export function byteSize(format: Format, shape: readonly number[]): number {
  return sizeOf(shape) * ELEMENT_BYTES[format];
}

type Fail = (reason: string) => never;

function parseObject(json: Uint8Array, fail: Fail): Record<string, unknown> {
  // Strict decoding: no replacement characters, no byte order mark, nothing before the opening brace.
  if (json[0] !== 0x7b) return fail('its header does not start with {');
  try {
    const text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(json);
    return parseStrictJson(text) as Record<string, unknown>;
  } catch (error) {
    return fail(`its header is not valid JSON (${oneLine(messageOf(error))})`);
  }
}

function parseEntry(name: string, value: unknown, label: string, fail: Fail): TensorEntry {
  if (!isRawEntry(value)) return fail(`the entry of tensor ${quoted(name)} is not {dtype, shape, data_offsets}`);
  const { dtype: format, shape, data_offsets: offsets } = value;
  const [begin, end] = offsets;
  if (!isKnown(format)) {
    const known = Object.keys(ELEMENT_BYTES).join(', ');
    throw new UserError(`${label}: tensor ${quoted(name)} has dtype ${quoted(format)}; convert it to one of ${known}`);
  }
  const expected = byteSize(format, shape);
  if (end - begin !== expected) {
    fail(`tensor ${quoted(name)} has ${end - begin} bytes where its dtype and shape ask for ${expected}`);
  }
  return { name, format, shape, begin, end };
}

function checkCoverage(entries: readonly TensorEntry[], dataSize: number, fail: Fail): void {
  let covered = 0;
  for (const { name, begin, end } of entries.toSorted((a, b) => a.begin - b.begin || a.end - b.end)) {
    if (begin < covered) fail(`tensor ${quoted(name)} overlaps the one before it`);
    if (begin > covered) fail(`the bytes before tensor ${quoted(name)} belong to no tensor`);
    covered = end;
  }
  if (covered > dataSize) fail(`it is cut off: ${covered} bytes of tensors announced, ${dataSize} there`);
  if (covered < dataSize) fail(`${dataSize - covered} bytes at its end belong to no tensor`);
}

function isKnown(format: string): format is Format {
  return Object.hasOwn(ELEMENT_BYTES, format);
}

function isTextRecord(value: unknown): value is Record<string, string> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return false;
  return Object.values(value).every((text) => typeof text === 'string');
}

/** JSON.parse quotes the offending text in its messages, control characters and all. */
function oneLine(message: string): string {
  return message.replaceAll(/[\s\p{C}\u2028\u2029]+/gu, ' ').slice(0, 120);
}
