/** Drawings that would not end, and what comes after them. */

import { expect, it } from 'vitest';
import { toSquare } from './decode.ts';
import { drawnSvg } from './svg.ts';

const svg = (content: string, side: number) =>
  Buffer.from(`<svg xmlns="http://www.w3.org/2000/svg" width="${side}" height="${side}">${content}</svg>`);

/** Each of `levels` uses the one before it twice. */
function exponential(levels: number): Buffer {
  const uses = Array.from({ length: levels }, (_, i) => `<g id="a${i + 1}">${`<use href="#a${i}"/>`.repeat(2)}</g>`);
  return svg(`<defs><rect id="a0" width="9" height="9"/>${uses.join('')}</defs><use href="#a${levels}"/>`, 9);
}

const blurred = svg(
  `<filter id="f"><feGaussianBlur stdDeviation="500"/></filter>${'<g filter="url(#f)">'.repeat(30)}<rect width="4000" height="4000"/>${'</g>'.repeat(30)}`,
  4000,
);

it('ends a drawing of exponential or heavy content by the time of a processor, and draws the next one', async () => {
  const limits = { density: 72, maxPixels: 1e8, seconds: 0.1 };
  await expect(drawnSvg(exponential(40), limits)).rejects.toThrow('drawing it takes more than 0.1 s of a processor');
  const blue = svg('<rect width="9" height="9" fill="#0000ff"/>', 9);
  const [heavy, square] = await Promise.allSettled([drawnSvg(blurred, limits), toSquare(blue, 8)]);
  expect(heavy).toMatchObject({ reason: new Error('drawing it takes more than 0.1 s of a processor') });
  expect(square.status === 'fulfilled' && [...square.value.data.subarray(0, 3)]).toEqual([0, 0, 255]);
});
