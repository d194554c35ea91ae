/** Planes of bytes, there and back. */

import fc from 'fast-check';
import { expect, it } from 'vitest';
import { fromPlanes, toPlanes } from './planes.ts';

it('planes hold all lower bytes and then all upper ones, whatever pieces they come in', () => {
  expect([...toPlanes([Uint8Array.of(1, 10, 2), Uint8Array.of(20, 3)])]).toEqual([1, 2, 3, 10, 20]);
  fc.assert(
    fc.property(fc.array(fc.uint8Array({ maxLength: 9 })), (pieces) => {
      expect([...fromPlanes(toPlanes(pieces))]).toEqual(pieces.flatMap((piece) => [...piece]));
    }),
  );
});
