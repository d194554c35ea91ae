/** The usable pictures of a container as an image source. */

import path from 'node:path';
import { messageOf, UserError } from '../../base/errors.ts';
import { option } from '../../base/options.ts';
import { DECODING, toSquare } from '../pictures/decode.ts';
import { oneLine } from '../pictures/decoder-words.ts';
import { decoding, reading } from '../pictures/memory.ts';
import { cannotRead } from '../pictures/reasons.ts';
import type { Container } from './containers/container.ts';
import { contentIdOf, type Picture } from './inventory.ts';
import type { ImageSource } from './source.ts';

export interface PicturesOptions {
  /** What transparent pixels lie on, as a CSS colour. */
  readonly background?: string | undefined;
  /** Pixels that a picture may have, as when it was inspected. */
  readonly maxPixels?: number | undefined;
}

/**
 * Pictures `pictures` of `container`, as they were when they were inspected: one that has changed since is an error.
 */
export function picturesSource(
  container: Container,
  pictures: readonly Picture[],
  { background, maxPixels }: PicturesOptions = {},
): ImageSource {
  const pictureAt = (index: number): Picture => {
    const picture = pictures[index];
    if (picture === undefined)
      throw new RangeError(`${container.path} has no picture ${index}: it has ${pictures.length}`);
    return picture;
  };
  return {
    name: path.basename(path.resolve(container.path)),
    size: pictures.length,
    decoding: DECODING,
    id: (index) => pictureAt(index).name,
    contentId: (index) => pictureAt(index).contentId,
    async read(index, imageSize, crop) {
      const picture = pictureAt(index);
      const where = () => path.join(container.path, picture.name);
      return reading.use(picture.bytes, async () => {
        const encoded = await container.read(picture.index).catch((error: unknown) => {
          throw new UserError(`${cannotRead(`picture ${where()}`, messageOf(error))}; repair or remove it`);
        });
        // What is computed from it is kept under the hash of what was inspected.
        if (contentIdOf(encoded) !== picture.contentId)
          throw new UserError(
            `Picture ${where()} has changed since it was looked at: run again (with ${option('resume')}, what is done is kept)`,
          );
        try {
          const decode = () => toSquare(encoded, imageSize, { crop, background, maxPixels });
          return await decoding.use(4 * picture.width * picture.height, decode);
        } catch (error) {
          throw new UserError(`Cannot read picture ${where()}: ${oneLine(error)}; repair or remove it`);
        }
      });
    },
  };
}
