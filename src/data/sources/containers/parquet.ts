/** Parquet in the layout of Hugging Face's picture datasets: a column of structs { bytes, path }, or of bytes alone. */

import path from 'node:path';
import { type FileMetaData, parquetMetadataAsync, parquetReadObjects, parquetSchema } from 'hyparquet';
import { asyncBufferFromFile } from 'hyparquet/src/node.js';
import { compressors } from 'hyparquet-compressors';
import { messageOf, UserError } from '../../../base/errors.ts';
import { type Container, fileStamp, HEAD } from './container.ts';

/** Row groups are the smallest thing that can be read; so many of their bytes stay in memory. */
const KEPT_BYTES = 256 << 20;
/** Row groups of more bytes than this are not read. */
const MOST_GROUP = 2 ** 31;
/** So many rows may be without a picture, in however small a file. */
const SPARE_ROWS = 100_000;

interface RowGroup {
  readonly start: number;
  readonly end: number;
  /** Bytes of its pictures. */
  readonly bytes: number;
}

/**
 * Open a table. Only its footer is read; pictures are read by row group, when they are requested.
 * @throws UserError if it is damaged or has no column of pictures.
 */
export async function openParquet(file: string): Promise<Container> {
  try {
    const buffer = await asyncBufferFromFile(file);
    const metadata = await parquetMetadataAsync(buffer);
    const column = pictureColumn(metadata, file);
    const groups = rowGroups(metadata, column, buffer.byteLength, file);
    const stamp = fileStamp(file);
    const rows = groups.at(-1)?.end ?? 0;
    const recent = keepRecent(groups, async ({ start, end }) => {
      const options = { file: buffer, metadata, columns: [column], compressors: careful, utf8: false };
      const found = await parquetReadObjects({ ...options, rowStart: start, rowEnd: end });
      return found.map((row) => bytesOf(row[column]));
    });
    const read = async (index: number): Promise<Uint8Array> => {
      const bytes = await recent(index).catch((error: unknown) => {
        throw new UserError(`cannot be read: ${messageOf(error)}`);
      });
      if (bytes === undefined) throw new UserError(`no picture in column ${column} of this row`);
      return bytes;
    };
    return {
      path: file,
      names: Array.from({ length: rows }, (_, row) => `row-${String(row).padStart(String(rows).length, '0')}`),
      rejected: [],
      read,
      // A group is read as a whole anyway.
      head: async (index) => (await read(index)).subarray(0, HEAD),
      size: async (index) => groupOf(groups, index).bytes,
      stamp: () => stamp,
      close: async () => {},
    };
  } catch (error) {
    if (error instanceof UserError) throw error;
    // The reader does not check a footer, and throws one of these for what is none.
    throw damaged(
      file,
      error instanceof TypeError || error instanceof RangeError
        ? 'its footer is damaged; copy it again'
        : messageOf(error),
    );
  }
}

/** The column called `image`, or the only one that looks like pictures. */
function pictureColumn(metadata: FileMetaData, file: string): string {
  const columns = parquetSchema(metadata).children.filter(({ element, children }) =>
    children.length > 0
      ? children.some((child) => child.element.name === 'bytes' && child.element.type === 'BYTE_ARRAY')
      : element.type === 'BYTE_ARRAY' && element.converted_type !== 'UTF8' && element.logical_type?.type !== 'STRING',
  );
  const names = columns.map(({ element }) => element.name);
  const chosen = names.find((name) => name === 'image') ?? (names.length === 1 ? names[0] : undefined);
  if (chosen !== undefined) return chosen;
  throw new UserError(
    names.length === 0
      ? `${path.basename(file)} has no column of pictures: a struct with "bytes", or bytes, is looked for`
      : `${path.basename(file)} has several columns of bytes (${names.join(', ')}) and none is called "image": rename the one with the pictures`,
  );
}

/** The row groups, each of as many rows as its column has values, and all together as many as the table states. */
function rowGroups(metadata: FileMetaData, column: string, fileBytes: number, file: string): RowGroup[] {
  let start = 0;
  const groups = metadata.row_groups.map(({ num_rows, columns }, i) => {
    const chunks = columns.flatMap(({ meta_data }) => (meta_data?.path_in_schema[0] === column ? [meta_data] : []));
    const rows = Number(num_rows);
    const isTrue =
      Number.isSafeInteger(rows) && rows >= 0 && chunks.every(({ num_values }) => Number(num_values) === rows);
    if (!isTrue) throw damaged(file, `its row group ${i} states ${num_rows} rows and has others`);
    const bytes = chunks.reduce((sum, { total_uncompressed_size: size }) => sum + Number(size), 0);
    if (!(bytes >= 0)) throw damaged(file, `its row group ${i} states no size`);
    if (bytes > MOST_GROUP)
      throw damaged(
        file,
        `its row group ${i} holds ${(bytes / 2 ** 30).toFixed(1)} GiB of pictures, and ${MOST_GROUP / 2 ** 30} GiB can be read at once: write it with smaller row groups`,
      );
    const group = { start, end: start + rows, bytes };
    start = group.end;
    return group;
  });
  if (start !== Number(metadata.num_rows))
    throw damaged(file, `it states ${metadata.num_rows} rows and has ${start}; copy it again`);
  // A row with a picture takes far more; rows without one hardly anything.
  if (start > SPARE_ROWS + fileBytes / 16) throw damaged(file, `it states ${start} rows in ${fileBytes} bytes`);
  return groups;
}

const damaged = (file: string, what: string): UserError =>
  new UserError(`Cannot read the Parquet file ${file}: ${what}`);

const groupOf = (groups: readonly RowGroup[], row: number): RowGroup => groups.find(({ end }) => row < end)!;

/** The decompressors, none of which makes more than a row group may hold. */
const careful = Object.fromEntries(
  Object.entries(compressors).map(([codec, unpack]) => [
    codec,
    (input: Uint8Array, size: number) => {
      if (size > MOST_GROUP) throw new Error(`a page claims to unpack to ${size} bytes`);
      return unpack(input, size);
    },
  ]),
);

function bytesOf(value: unknown): Uint8Array | undefined {
  if (value instanceof Uint8Array) return value;
  const bytes = typeof value === 'object' && value !== null && 'bytes' in value ? value.bytes : undefined;
  return bytes instanceof Uint8Array ? bytes : undefined;
}

type Rows = readonly (Uint8Array | undefined)[];

/** Rows by number, the groups that were used last kept in memory. Calls for one group share its reading. */
function keepRecent(groups: readonly RowGroup[], load: (group: RowGroup) => Promise<Rows>) {
  let last: Promise<unknown> = Promise.resolve();
  // Groups are large: two on their way would be twice the memory.
  const oneAtATime = (work: () => Promise<Rows>): Promise<Rows> => {
    const mine = last.then(work);
    last = mine.catch(() => {});
    return mine;
  };
  const kept = new Map<RowGroup, { readonly rows: Promise<Rows>; bytes: number }>();
  return async (row: number): Promise<Uint8Array | undefined> => {
    const group = groupOf(groups, row);
    const entry = kept.get(group) ?? { rows: oneAtATime(() => load(group)), bytes: 0 };
    // The newest stands last.
    kept.delete(group);
    kept.set(group, entry);
    const rows = await entry.rows.catch((error: unknown) => {
      // The next call tries again: the cause may be gone.
      kept.delete(group);
      throw error;
    });
    entry.bytes = rows.reduce((sum, bytes) => sum + (bytes?.length ?? 0), 0);
    forget(kept);
    return rows[row - group.start];
  };
}

function forget<K>(kept: Map<K, { readonly bytes: number }>): void {
  let total = [...kept.values()].reduce((sum, { bytes }) => sum + bytes, 0);
  for (const [key, { bytes }] of kept) {
    if (total <= KEPT_BYTES || kept.size === 1) return;
    kept.delete(key);
    total -= bytes;
  }
}
