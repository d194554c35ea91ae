/** Resizing and cropping against Pillow. */
import { it } from 'vitest';
import type { RgbImage } from '../../src/data/pictures/image.ts';
import { type Fixture, onFixture } from '../support/fixtures.ts';
import { compare, type Tolerance } from '../support/parity.ts';
import { cropCenter, resizeBicubic, resizeShortSide } from './resize.ts';

const ONE_LEVEL: Tolerance = { absolute: 1 };

function imageOf(file: Fixture, name: string): RgbImage {
  const [height, width] = file.tensor(name).shape as [number, number, number];
  return { width, height, data: Uint8Array.from(file.ints(name)) };
}

onFixture('preprocess', (file) => {
  const image = imageOf(file, 'image');

  it.each(file.matching(/^bicubic_(\d+x\d+)$/))('resizes to %s as the reference does', (size) => {
    const [width, height] = size.split('x').map(Number) as [number, number];
    compare('preprocess', 'bicubic', resizeBicubic(image, width, height).data, file.ints(`bicubic_${size}`), ONE_LEVEL);
  });

  it('prepares validation pictures as the reference does', () => {
    const size = file.number('size');
    const resized = resizeShortSide(image, size);
    compare(
      'preprocess',
      'val_resized size',
      [resized.height, resized.width],
      file.tensor('val_resized').shape.slice(0, 2),
      {},
    );
    compare('preprocess', 'val_resized', resized.data, file.ints('val_resized'), ONE_LEVEL);
    compare('preprocess', 'val_cropped', cropCenter(resized, size).data, file.ints('val_cropped'), ONE_LEVEL);
  });
});
