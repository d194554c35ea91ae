/** Animations come back as they went in, with their times and their mark. */

import sharp from 'sharp';
import { expect, it } from 'vitest';
import { UserError } from '../../base/errors.ts';
import { machineMadeXmp } from './made-by-machine.ts';
import { encodeAnimation } from './webp.ts';

const frames = [0, 80, 200].map((value) => ({ width: 4, height: 2, data: new Uint8Array(24).fill(value) }));
const xmp = machineMadeXmp('trainedAlgorithmicMedia', 'a "program" & more');

it('an animation holds every frame without loss, longer at its ends, and says that a machine made it', async () => {
  const file = await encodeAnimation(frames, { ends: 900, between: 100 }, xmp);
  const metadata = await sharp(file, { animated: true }).metadata();
  expect(metadata).toMatchObject({ format: 'webp', pages: 3, pageHeight: 2, loop: 0, delay: [900, 100, 900] });
  expect(metadata.xmp!.toString()).toContain('digitalsourcetype/trainedAlgorithmicMedia');
  expect(metadata.xmp!.toString()).toContain('a &quot;program&quot; &amp; more');
  const { data } = await sharp(file, { animated: true }).removeAlpha().raw().toBuffer({ resolveWithObject: true });
  expect([...data]).toEqual(frames.flatMap(({ data: bytes }) => [...bytes]));
});

it('refuses no frames, and frames that the format cannot hold', async () => {
  await expect(encodeAnimation([], { ends: 1, between: 1 }, xmp)).rejects.toThrow(RangeError);
  const wide = { width: 20_000, height: 1, data: new Uint8Array(60_000) };
  await expect(encodeAnimation([wide], { ends: 1, between: 1 }, xmp)).rejects.toThrow(UserError);
});
