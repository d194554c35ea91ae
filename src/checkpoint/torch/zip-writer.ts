/**
 * Writes zip archives as PyTorch does: entries stored, their bytes aligned to 64, the 64-bit end record always there.
 */
import { crc32 } from '../../files/crc32.ts';

export interface ZipContent {
  readonly name: string;
  readonly data: Uint8Array;
}

/** An entry as the directory describes it. */
export interface ZipRecord {
  readonly name: string;
  readonly size: number;
  readonly crc: number;
  /** Where its local header begins. */
  readonly offset: number;
}

const ALIGNMENT = 64;
/** 32-bit fields hold this where the value stands in the 64-bit extension. */
const EXTENDED = 0xffffffff;
/** 1 January 1980, the earliest date there is: equal contents give equal bytes. */
const DATE = (1 << 5) | 1;

/** The bytes of an archive, in pieces that share memory with the contents. Names are ASCII. */
export function* encodeZip(contents: readonly ZipContent[]): Generator<Uint8Array> {
  const records: ZipRecord[] = [];
  let offset = 0;
  for (const { name, data } of contents) {
    const record = { name, size: data.length, crc: crc32(data), offset };
    const header = encodeLocalHeader(record);
    yield header;
    yield data;
    records.push(record);
    offset += header.length + data.length;
  }
  yield encodeDirectory(records, offset);
}

/** The header before an entry's bytes, padded so that they begin at a multiple of 64. */
export function encodeLocalHeader(record: ZipRecord): Buffer {
  const name = Buffer.from(record.name, 'latin1');
  const extension = extend(record.size >= EXTENDED ? [record.size, record.size] : []);
  const bare = record.offset + 30 + name.length + extension.length + 4;
  const padding = Buffer.alloc(4 + ((ALIGNMENT - (bare % ALIGNMENT)) % ALIGNMENT), 'Z');
  padding.write('FB', 'latin1');
  padding.writeUInt16LE(padding.length - 4, 2);

  const header = Buffer.alloc(30);
  header.writeUInt32LE(0x04034b50, 0);
  writeCommon(header, 4, record, name.length, extension.length + padding.length);
  return Buffer.concat([header, name, extension, padding]);
}

/** The directory and the end records, for an archive in which they begin at `begin`. */
export function encodeDirectory(records: readonly ZipRecord[], begin: number): Buffer {
  const directory = Buffer.concat(records.map(encodeRecord));
  const size = directory.length;
  const end64 = Buffer.alloc(56);
  end64.writeUInt32LE(0x06064b50, 0);
  end64.writeBigUInt64LE(BigInt(end64.length - 12), 4);
  end64.writeUInt16LE(VERSION, 12);
  end64.writeUInt16LE(VERSION, 14);
  [records.length, records.length, size, begin].forEach((value, i) => {
    end64.writeBigUInt64LE(BigInt(value), 24 + 8 * i);
  });
  const locator = Buffer.alloc(20);
  locator.writeUInt32LE(0x07064b50, 0);
  locator.writeBigUInt64LE(BigInt(begin + size), 8);
  locator.writeUInt32LE(1, 16);
  const end = Buffer.alloc(22);
  end.writeUInt32LE(0x06054b50, 0);
  end.writeUInt16LE(Math.min(records.length, 0xffff), 8);
  end.writeUInt16LE(Math.min(records.length, 0xffff), 10);
  end.writeUInt32LE(Math.min(size, EXTENDED), 12);
  end.writeUInt32LE(Math.min(begin, EXTENDED), 16);
  return Buffer.concat([directory, end64, locator, end]);
}

/** Zip 4.5, the first with 64-bit sizes. */
const VERSION = 45;

function encodeRecord(record: ZipRecord): Buffer {
  const name = Buffer.from(record.name, 'latin1');
  const { size, offset } = record;
  const extension = extend([...(size >= EXTENDED ? [size, size] : []), ...(offset >= EXTENDED ? [offset] : [])]);
  const header = Buffer.alloc(46);
  header.writeUInt32LE(0x02014b50, 0);
  header.writeUInt16LE(VERSION, 4);
  writeCommon(header, 6, record, name.length, extension.length);
  header.writeUInt32LE(Math.min(offset, EXTENDED), 42);
  return Buffer.concat([header, name, extension]);
}

/**
 * The fields that the local header and the directory share, in the same order: version, flags, method, time, date, CRC,
 * sizes.
 */
function writeCommon(
  header: Buffer,
  at: number,
  { size, crc }: ZipRecord,
  nameBytes: number,
  extraBytes: number,
): void {
  header.writeUInt16LE(VERSION, at);
  header.writeUInt16LE(DATE, at + 8);
  header.writeUInt32LE(crc, at + 10);
  header.writeUInt32LE(Math.min(size, EXTENDED), at + 14);
  header.writeUInt32LE(Math.min(size, EXTENDED), at + 18);
  header.writeUInt16LE(nameBytes, at + 22);
  header.writeUInt16LE(extraBytes, at + 24);
}

/** The 64-bit extension with these values; nothing if there are none. */
function extend(values: readonly number[]): Buffer {
  if (values.length === 0) return Buffer.alloc(0);
  const block = Buffer.alloc(4 + 8 * values.length);
  block.writeUInt16LE(1, 0);
  block.writeUInt16LE(8 * values.length, 2);
  values.forEach((value, i) => {
    block.writeBigUInt64LE(BigInt(value), 4 + 8 * i);
  });
  return block;
}
