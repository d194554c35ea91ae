/** Opening pictures to look at them or to read them, as training does. */

import type { RgbImage } from './pictures/image.ts';
import type { Rejected } from './sources/containers/container.ts';
import { openSource } from './sources/open.ts';

export interface OpenDataOptions {
  /** What transparent pixels lie on, as `#rrggbb`; white by default. */
  readonly background?: string | undefined;
  /** Pixels that a picture may have; 100 million by default. */
  readonly maxPixels?: number | undefined;
  /** Seed and number of the drawn faces, for `faces`. */
  readonly seed?: number | undefined;
  readonly count?: number | undefined;
  readonly signal?: AbortSignal | undefined;
  /** Called with the number of files that were checked, and of all. */
  readonly onProgress?: ((done: number, total: number) => void) | undefined;
}

/** Pictures, each read by its number. */
export interface PictureData {
  readonly name: string;
  /** Numbers run from 0 to size - 1. */
  readonly size: number;
  /** What cannot be used, and why. */
  readonly rejected: readonly Rejected[];
  /** Path in the folder or archive, or a number. */
  id(index: number): string;
  /** The middle square of picture `index`, `imageSize` pixels wide. */
  read(index: number, imageSize: number): Promise<RgbImage>;
}

/**
 * Open a folder, an archive (zip, tar) or a Parquet file of pictures, or a built-in set (`faces`, `fashion-mnist`).
 * Every picture is decoded once, so that what can be read is known.
 * @throws UserError if it is not there or holds no usable picture.
 */
export async function openData(data: string, options: OpenDataOptions = {}): Promise<PictureData> {
  const { seed = 0, count = 1000, ...rest } = options;
  const rejected: Rejected[] = [];
  const source = await openSource(data, {
    ...rest,
    faces: { seed, count, offset: 0 },
    onRejected: (one) => rejected.push(one),
  });
  return {
    name: source.name,
    size: source.size,
    rejected,
    id: (index) => source.id(index),
    read: (index, imageSize) => source.read(index, imageSize),
  };
}
