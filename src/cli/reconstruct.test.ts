import { expect, it } from 'vitest';
import { pairedRows } from './reconstruct.ts';

it('wraps a sheet after eight pictures, each row above its reconstructions', () => {
  const images = Array.from({ length: 19 }, (_, i) => ({ width: 1, height: 1, data: Uint8Array.of(i, 0, 0) }));
  const back = images.map(({ data, ...size }) => ({ ...size, data: Uint8Array.of(data[0]!, 1, 0) }));
  const rows = pairedRows(images, back, '20.0 dB');
  expect(rows.map((row) => row.images.map(({ data }) => [data[0], data[1]]))).toEqual(
    [
      [0, 8],
      [8, 16],
      [16, 19],
    ].flatMap(([from, to]) => [0, 1].map((side) => Array.from({ length: to! - from! }, (_, i) => [from! + i, side]))),
  );
  expect(rows[0]).toMatchObject({ label: 'pictures' });
  expect(rows[1]).toMatchObject({ label: 'reconstructions', note: '20.0 dB' });
});
