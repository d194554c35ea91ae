/** PNG files with provenance, on any platform: deterministic bytes, and text chunks. */

import { joinedBytes } from '../../base/ndarray.ts';
import type { RgbImage } from './image.ts';
import { pngChunk, SIGNATURE } from './png-chunk.ts';
import { textChunks } from './png-text.ts';

/** Bits a channel, and the colour type of red, green and blue. */
const [DEPTH, TRUECOLOUR] = [8, 2];
/** The filter of a row that takes away Paeth's guess. */
const PAETH = 4;

/**
 * Encodes a picture with its text, sorted by keyword: the same pixels and text give the same bytes on the same build of
 * zlib. Neither an image library, which takes longer to load than a picture to draw, nor a canvas, whose pixels some
 * browsers change.
 * @throws RangeError for a keyword or value that `textChunks` refuses.
 */
export async function encodePng(
  image: RgbImage,
  text: Readonly<Record<string, string>>,
): Promise<Uint8Array<ArrayBuffer>> {
  const header = new Uint8Array(13);
  const view = new DataView(header.buffer);
  view.setUint32(0, image.width);
  view.setUint32(4, image.height);
  header.set([DEPTH, TRUECOLOUR], 8);
  return joinedBytes([
    Uint8Array.from(SIGNATURE),
    pngChunk('IHDR', header),
    ...textChunks(text),
    pngChunk('IDAT', await deflated(filteredRows(image))),
    pngChunk('IEND', new Uint8Array(0)),
  ]);
}

/** Rows of bytes as the file has them, [height, 1 + 3 width]: the filter, then what differs from the guess. */
function filteredRows({ width, height, data }: RgbImage): Uint8Array<ArrayBuffer> {
  const stride = 3 * width;
  const rows = new Uint8Array(height * (stride + 1));
  for (let y = 0, at = 0; y < height; y++) {
    rows[at++] = PAETH;
    for (let x = 0, i = y * stride; x < stride; x++, i++) {
      const left = x < 3 ? 0 : data[i - 3]!;
      const above = y === 0 ? 0 : data[i - stride]!;
      const corner = x < 3 || y === 0 ? 0 : data[i - stride - 3]!;
      rows[at++] = data[i]! - paeth(left, above, corner);
    }
  }
  return rows;
}

/** The neighbour that is nearest to left + above - corner (PNG specification, section 9.4). */
function paeth(left: number, above: number, corner: number): number {
  const toLeft = Math.abs(above - corner);
  const toAbove = Math.abs(left - corner);
  const toCorner = Math.abs(left + above - 2 * corner);
  if (toLeft <= toAbove && toLeft <= toCorner) return left;
  return toAbove <= toCorner ? above : corner;
}

/** Reads the stream itself: `Response`, which would, brings all of HTTP into a process that only draws. */
async function deflated(bytes: Uint8Array<ArrayBuffer>): Promise<Uint8Array<ArrayBuffer>> {
  const { readable, writable } = new CompressionStream('deflate');
  const writer = writable.getWriter();
  const [parts] = await Promise.all([partsOf(readable), writer.write(bytes), writer.close()]);
  return joinedBytes(parts);
}

async function partsOf(stream: ReadableStream<Uint8Array>): Promise<readonly Uint8Array[]> {
  const parts: Uint8Array[] = [];
  const reader = stream.getReader();
  for (let part = await reader.read(); !part.done; part = await reader.read()) parts.push(part.value);
  return parts;
}
