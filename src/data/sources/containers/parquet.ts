/** Parquet in the layout of Hugging Face's picture datasets: a column of structs { bytes, path }, or of bytes alone. */

import path from 'node:path';
import { type FileMetaData, parquetMetadataAsync, parquetReadObjects, parquetSchema } from 'hyparquet';
import { asyncBufferFromFile } from 'hyparquet/src/node.js';
import { compressors } from 'hyparquet-compressors';
import { messageOf, UserError } from '../../../base/errors.ts';
import { type Container, fileStamp } from './container.ts';

/** Row groups are the smallest thing that can be read; so many of their bytes stay in memory. */
const KEPT_BYTES = 256 << 20;

interface RowGroup {
  readonly start: number;
  readonly end: number;
}

/**
 * Open a table. Only its footer is read; pictures are read by row group, when they are asked for.
 * @throws UserError if it is damaged or has no column of pictures.
 */
export async function openParquet(file: string): Promise<Container> {
  try {
    const buffer = await asyncBufferFromFile(file);
    const metadata = await parquetMetadataAsync(buffer);
    const column = pictureColumn(metadata, file);
    const groups = rowGroups(metadata);
    const stamp = fileStamp(file);
    const rows = Number(metadata.num_rows);
    const read = keepRecent(groups, async ({ start, end }) => {
      const options = { file: buffer, metadata, columns: [column], compressors, utf8: false };
      const found = await parquetReadObjects({ ...options, rowStart: start, rowEnd: end });
      return found.map((row) => bytesOf(row[column]));
    });
    return {
      path: file,
      names: Array.from({ length: rows }, (_, row) => `row-${String(row).padStart(String(rows).length, '0')}`),
      rejected: [],
      async read(index) {
        const bytes = await read(index).catch((error: unknown) => {
          throw new UserError(`cannot be read: ${messageOf(error)}`);
        });
        if (bytes === undefined) throw new UserError(`no picture in column ${column} of this row`);
        return bytes;
      },
      stamp: () => stamp,
      close: async () => {},
    };
  } catch (error) {
    if (error instanceof UserError) throw error;
    throw new UserError(`cannot read the Parquet file ${file}: ${messageOf(error)}`);
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

function rowGroups(metadata: FileMetaData): RowGroup[] {
  let start = 0;
  return metadata.row_groups.map(({ num_rows }) => {
    const group = { start, end: start + Number(num_rows) };
    start = group.end;
    return group;
  });
}

function bytesOf(value: unknown): Uint8Array | undefined {
  if (value instanceof Uint8Array) return value;
  const bytes = typeof value === 'object' && value !== null && 'bytes' in value ? value.bytes : undefined;
  return bytes instanceof Uint8Array ? bytes : undefined;
}

type Rows = readonly (Uint8Array | undefined)[];

/** Rows by number, the groups that were used last kept in memory. Calls for one group share its reading. */
function keepRecent(groups: readonly RowGroup[], load: (group: RowGroup) => Promise<Rows>) {
  const kept = new Map<RowGroup, { readonly rows: Promise<Rows>; bytes: number }>();
  return async (row: number): Promise<Uint8Array | undefined> => {
    const group = groups.find(({ end }) => row < end)!;
    const entry = kept.get(group) ?? { rows: load(group), bytes: 0 };
    // The newest stands last.
    kept.delete(group);
    kept.set(group, entry);
    const rows = await entry.rows;
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
