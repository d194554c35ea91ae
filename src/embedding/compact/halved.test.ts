/** Against the image library, on noise, which shows every weight and every rounding. */

import sharp from 'sharp';
import { describe, expect, it } from 'vitest';
import { uniforms } from '../../random/noise.ts';
import { halved } from './halved.ts';

describe('a picture at half its size', () => {
  it.each([
    [128, 128],
    [64, 36],
    [2, 2],
  ])('has the bytes that the image library gives for %i x %i', async (width, height) => {
    const data = Uint8Array.from(uniforms({ seed: 1, stream: 'test', step: 0 }, 0, 3 * width * height), (u) => 256 * u);
    const image = sharp(data, { raw: { width, height, channels: 3 } });
    const expected = await image
      .resize(width / 2, height / 2, { fit: 'fill', kernel: 'lanczos3' })
      .raw()
      .toBuffer();
    expect(halved({ width, height, data })).toEqual(new Uint8Array(expected));
  });
});
