/**
 * PNG files in a browser, by the platform's own zlib. A canvas would do, but some browsers change what is read from one
 * so that pages cannot tell machines apart by it.
 */

import type { RgbImage } from '../data/pictures/image.ts';
import { pngChunk } from '../data/pictures/png-chunk.ts';
import { withText } from '../data/pictures/png-text.ts';

const SIGNATURE = [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a];
const [DEPTH, TRUECOLOUR] = [8, 2];
/** The filter of a row: each byte less the one above it. */
const UP = 2;

/** A picture with its text, by keyword, as the bytes of a PNG file. */
export async function encodeWebPng(
  { width, height, data }: RgbImage,
  text: Readonly<Record<string, string>>,
): Promise<Uint8Array<ArrayBuffer>> {
  const header = new Uint8Array(13);
  const view = new DataView(header.buffer);
  view.setUint32(0, width);
  view.setUint32(4, height);
  header.set([DEPTH, TRUECOLOUR], 8);
  const stride = 3 * width;
  const rows = new Uint8Array(height * (stride + 1));
  for (let y = 0; y < height; y++) {
    const at = y * (stride + 1);
    rows[at] = UP;
    for (let x = 0; x < stride; x++)
      rows[at + 1 + x] = data[y * stride + x]! - (y === 0 ? 0 : data[(y - 1) * stride + x]!);
  }
  const pieces = [
    Uint8Array.from(SIGNATURE),
    pngChunk('IHDR', header),
    pngChunk('IDAT', await deflated(rows)),
    pngChunk('IEND', new Uint8Array(0)),
  ];
  return withText(new Uint8Array(await new Blob(pieces).arrayBuffer()), text);
}

async function deflated(bytes: Uint8Array<ArrayBuffer>): Promise<Uint8Array<ArrayBuffer>> {
  const stream = new Blob([bytes]).stream().pipeThrough(new CompressionStream('deflate'));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}
