/** Where training pictures come from. A source yields pixels and nothing else: captions do not exist in this type. */

import { mapConcurrently } from '../../base/concurrency.ts';
import type { Crop } from '../pictures/crop.ts';
import type { RgbImage } from '../pictures/image.ts';

/** A finite, ordered, random-access set of pictures. */
export interface ImageSource {
  readonly name: string;
  /** Number of pictures; indices run from 0 to size − 1. */
  readonly size: number;
  /** Version of the way from files to pixels, for sources of files: other versions give other pixels. */
  readonly decoding?: string;
  /** A stable name for one picture: its path in the folder, or its number. */
  id(index: number): string;
  /**
   * What the picture is, whatever it is called: 128 bits, in hex, of a hash of its encoded bytes, or of what it is
   * drawn from. Known without decoding.
   */
  contentId(index: number): string;
  /**
   * The picture as a square of `imageSize` pixels: its middle, or what `crop` keeps. The same arguments give the same
   * bytes.
   */
  read(index: number, imageSize: number, crop?: Crop): Promise<RgbImage>;
}

/** The pictures of these rows, in their order, as a source of their own. */
export const partOf = (source: ImageSource, rows: Int32Array): ImageSource => ({
  ...source,
  size: rows.length,
  id: (index) => source.id(rows[index]!),
  contentId: (index) => source.contentId(rows[index]!),
  read: (index, imageSize, crop) => source.read(rows[index]!, imageSize, crop),
});

export interface LoadOptions {
  readonly onProgress?: ((done: number, total: number) => void) | undefined;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Reads a whole source into memory: [size, imageSize, imageSize, 3] bytes, in index order. Rejects with the signal's
 * reason when aborted.
 */
export async function loadAll(source: ImageSource, imageSize: number, options: LoadOptions = {}): Promise<Uint8Array> {
  const stride = 3 * imageSize * imageSize;
  const bytes = new Uint8Array(source.size * stride);
  let done = 0;
  await mapConcurrently(source.size, options.signal, async (index) => {
    const image = await source.read(index, imageSize);
    bytes.set(image.data, index * stride);
    options.onProgress?.(++done, source.size);
  });
  return bytes;
}
