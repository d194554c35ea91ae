/**
 * Fashion-MNIST (Xiao et al., 1708.07747): 60,000 + 10,000 pictures of clothes, 28x28, grey, in ten classes. Read from
 * the IDX files that Debian's package `dataset-fashion-mnist` installs.
 */

import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { promisify } from 'node:util';
import { gunzip } from 'node:zlib';
import { UserError } from '../../base/errors.ts';
import { sharp } from '../pictures/sharp.ts';
import { contentIdOf } from './inventory.ts';
import type { ImageSource } from './source.ts';

export const FASHION_CLASSES = [
  'T-shirt',
  'trouser',
  'pullover',
  'dress',
  'coat',
  'sandal',
  'shirt',
  'sneaker',
  'bag',
  'ankle boot',
] as const;

const SIDE = 28;
const INSTALLED_AT = '/usr/share/datasets/fashion-mnist';
const FILES = { train: 'train', test: 't10k' } as const;
export type FashionSplit = keyof typeof FILES;

/**
 * One split's pictures, and nothing about what they show.
 * @throws UserError if the files are not there or not whole.
 */
export async function fashionSource(split: FashionSplit = 'train', folder = INSTALLED_AT): Promise<ImageSource> {
  const pixels = await idx(folder, `${FILES[split]}-images-idx3-ubyte`, [SIDE, SIDE]);
  const size = pixels.length / SIDE ** 2;
  const grey = (index: number): Uint8Array => {
    if (!Number.isInteger(index) || index < 0 || index >= size)
      throw new RangeError(`fashion-mnist: no picture ${index} of ${size}`);
    return pixels.subarray(index * SIDE ** 2, (index + 1) * SIDE ** 2);
  };
  return {
    name: 'fashion-mnist',
    size,
    id: (index) => `${split}-${index}`,
    contentId: (index) => contentIdOf(grey(index)),
    async read(index, imageSize, crop) {
      const picture = sharp(grey(index), { raw: { width: SIDE, height: SIDE, channels: 1 } });
      const data = await (crop ? picture.extract(crop(SIDE, SIDE)) : picture)
        .resize(imageSize, imageSize, { kernel: 'lanczos3' })
        .toColourspace('srgb')
        .raw()
        .toBuffer();
      return { width: imageSize, height: imageSize, data: new Uint8Array(data) };
    },
  };
}

/** What a split's pictures show, as numbers into `FASHION_CLASSES`. For classifiers and the CLIP alone. */
export const fashionLabels = (split: FashionSplit, folder = INSTALLED_AT): Promise<Uint8Array> =>
  idx(folder, `${FILES[split]}-labels-idx1-ubyte`, []);

/** The bytes of an IDX file, packed or not, of items of shape `item`: magic, dimensions (big endian), data. */
async function idx(folder: string, name: string, item: readonly number[]): Promise<Uint8Array> {
  const bytes = await fileBytes(folder, name);
  const header = 4 * (2 + item.length);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const fits =
    bytes.length >= header &&
    view.getUint32(0) === 0x800 + 1 + item.length &&
    item.every((size, i) => view.getUint32(8 + 4 * i) === size) &&
    bytes.length === header + item.reduce((product, size) => product * size, view.getUint32(4));
  if (!fits) throw new UserError(`${path.join(folder, name)} is not a whole IDX file: install it again`);
  return bytes.subarray(header);
}

async function fileBytes(folder: string, name: string): Promise<Uint8Array> {
  const file = path.join(folder, name);
  const packed = await readFile(`${file}.gz`).catch(() => undefined);
  try {
    return packed ? await promisify(gunzip)(packed) : await readFile(file);
  } catch {
    throw new UserError(
      packed
        ? `${file}.gz is damaged: install it again`
        : `Fashion-MNIST is not at ${folder}: on Debian, apt-get install dataset-fashion-mnist`,
    );
  }
}
