/** The usable pictures of a container as an image source. */

import path from 'node:path';
import { messageOf, UserError } from '../../base/errors.ts';
import { oneLine, toSquare } from '../pictures/decode.ts';
import type { Container } from './containers/container.ts';
import type { Picture } from './inventory.ts';
import type { ImageSource } from './source.ts';

/** Pictures `pictures` of `container`; transparent ones lie on `background`, a CSS colour. */
export function picturesSource(container: Container, pictures: readonly Picture[], background?: string): ImageSource {
  const pictureAt = (index: number): Picture => {
    const picture = pictures[index];
    if (picture === undefined)
      throw new RangeError(`${container.path} has no picture ${index}: it has ${pictures.length}`);
    return picture;
  };
  return {
    name: path.basename(path.resolve(container.path)),
    size: pictures.length,
    id: (index) => pictureAt(index).name,
    contentId: (index) => pictureAt(index).contentId,
    async read(index, imageSize, crop) {
      const picture = pictureAt(index);
      const where = () => path.join(container.path, picture.name);
      const encoded = await container.read(picture.index).catch((error: unknown) => {
        throw new UserError(`cannot read picture ${where()}: ${messageOf(error)}; mend or remove it`);
      });
      try {
        return await toSquare(encoded, imageSize, { crop, background });
      } catch (error) {
        throw new UserError(`cannot read picture ${where()}: ${oneLine(error)}; mend or remove it`);
      }
    },
  };
}
