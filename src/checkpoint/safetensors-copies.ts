/** Copies of safetensors files: with further texts, or with smaller numbers. */

import { bytesOf } from '../base/ndarray.ts';
import { openByteSource, piecesFrom } from './file-source.ts';
import { fitsFloat16, float32ToFloat16, shortFloat16 } from './half.ts';
import {
  type ByteSource,
  encodeEntries,
  type PlacedHeader,
  placed,
  readHeader,
  readTensor,
} from './safetensors-bytes.ts';
import { byteSize, type TensorEntry } from './safetensors-header.ts';
import { blankSeal } from './seal.ts';
import { writeSealed } from './sealed-file.ts';

/**
 * Copy a file with further texts. Its tensors stay as they are, a checksum that it carries is made anew; no more than a
 * piece of it is in memory on its way.
 * @throws UserError if it cannot be read, or the disk refuses.
 */
export function copyWithTexts(from: string, to: string, texts: Readonly<Record<string, string>>): Promise<void> {
  return copyChanged(from, to, texts, (source, { entries, end }) => ({ entries, data: piecesFrom(source, end) }));
}

/**
 * Copy a file with its float32 tensors as float16: each number rounded to the nearest one of 8 fraction bits
 * (`shortFloat16`), tensors with numbers that are too large left as they are. A checksum that it carries is made anew;
 * one tensor at a time is in memory.
 * @throws UserError if it cannot be read, or the disk refuses.
 */
export function copyAsFloat16(from: string, to: string): Promise<void> {
  return copyChanged(from, to, {}, (source, header) => {
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

/** What comes into a copy: its entries, and their data in the same order. */
interface Content {
  readonly entries: readonly TensorEntry[];
  readonly data: Iterable<Uint8Array>;
}

/** Copy a file with further texts and what `change` makes of its content. */
async function copyChanged(
  from: string,
  to: string,
  texts: Readonly<Record<string, string>>,
  change: (source: ByteSource, header: PlacedHeader) => Content,
): Promise<void> {
  using source = openByteSource(from);
  const header = readHeader(source, from);
  const { entries, data } = change(source, header);
  await writeSealed(to, encodeEntries(entries, blankSeal({ ...header.metadata, ...texts })), data);
}
