import { expect, it } from 'vitest';
import { leftOutLines, otherFiles, totalsByReason } from '../pictures/reasons.ts';
import type { Picture } from './inventory.ts';
import { selectPictures } from './selection.ts';

const picture = (name: string, contentId: string): Picture => ({
  ...{ index: 0, name, contentId, bytes: 1, format: 'png', width: 8, height: 8, pages: 1 },
});
const pictures = [picture('a.png', '1'), picture('b/x.png', '2'), picture('c.png', '1'), picture('b/y.jpg', '3')];
const names = (chosen: readonly Picture[]) => chosen.map(({ name }) => name);

it('takes pictures that are equal byte for byte once, the first of them, where that is set', () => {
  expect(names(selectPictures(pictures, {}).pictures)).toEqual(['a.png', 'b/x.png', 'c.png', 'b/y.jpg']);
  const { pictures: chosen, left } = selectPictures(pictures, { duplicates: 'once' });
  expect(names(chosen)).toEqual(['a.png', 'b/x.png', 'b/y.jpg']);
  expect(left).toEqual([{ path: 'c.png', reason: 'the same picture byte for byte as another: a.png' }]);
});

it('leaves out names, and those that match', () => {
  const without = (...exclude: string[]) => names(selectPictures(pictures, { exclude }).pictures);
  expect(without('a.png', 'x.png')).toEqual(['b/x.png', 'c.png', 'b/y.jpg']);
  expect(without('b/*')).toEqual(['a.png', 'c.png']);
  expect(without('*.png')).toEqual(['b/y.jpg']);
  expect(without('*/*.j*g')).toEqual(['a.png', 'b/x.png', 'c.png']);
  expect(without('*')).toEqual([]);
  // Where the excluded one came first, its double is trained on.
  expect(names(selectPictures(pictures, { exclude: ['a.png'], duplicates: 'once' }).pictures)).toContain('c.png');
});

it('sums up what was left out by reason, and files that are no pictures in one line', () => {
  const rejected = [
    ...['a.txt', 'b.TXT', 'c.wav', 'Makefile'].map((path) => ({ path, reason: 'not a picture' })),
    ...[101, 120].map((n) => ({ path: `${n}.png`, reason: `${n}x1 is ${n} megapixels, more than the limit of 100` })),
    { path: 'd.heic', reason: 'HEIC, for which there is no decoder here: convert it to JPEG or PNG' },
    { path: 'l.png', reason: '200000x1 is longer than the limit of 100000 pixels a side: cut it into pictures' },
    { path: 'g.tif', reason: 'TIFF samples of 32 bits: save it with 8 or 16 bits a channel' },
    { path: 'e.png', reason: 'the same picture byte for byte as another: f.png' },
  ];
  expect(otherFiles(rejected)).toBe('4 files that are no pictures (2 .txt, 1 .wav, 1 without ending)');
  expect(totalsByReason(rejected).slice(0, 2)).toEqual([
    { kind: 'not a picture', count: 4 },
    { kind: 'more megapixels than the limit', count: 2 },
  ]);
  expect(leftOutLines(5, rejected, 'list')).toEqual([
    '5 of 10 files are left out (2 more megapixels than the limit; 1 HEIC, for which there is no decoder here; 1 TIFF samples of 32 bits; 1 longer than the limit of 100000 pixels a side): see list',
    '1 pictures are the same byte for byte as others and are trained on once (pictures.duplicates)',
  ]);
});
