/**
 * Winograd against the definition: the plain convolution primitive, for values and both gradients, on grids of any
 * side.
 */

import { afterAll, expect, it } from 'vitest';
import { againstDefinition, draw } from '../../test/support/convolutions.ts';
import { startKeepingEngine } from '../../test/support/keeping-engine.ts';
import * as g from '../graph/index.ts';
import { conv3x3Twice, conv3x3Winograd } from './winograd.ts';

const engine = startKeepingEngine();
afterAll(() => engine.close());

it.each([1, 2, 3, 4, 6, 8, 9])('agrees with the definition at side %i', async (side) => {
  const worst = await againstDefinition(engine, conv3x3Winograd, { side, pads: 1 });
  for (const [part, error] of Object.entries(worst)) expect(error, part).toBeLessThan(1e-5);
});

it('goes twice in parts as it goes twice in one', async () => {
  const [batch, side, from, to] = [2, 6, 4, 3];
  const widths = [5, 2, 4];
  const starts = [0, 5, 7];
  const feeds = {
    x: draw('x', [batch, side * side, from]),
    first: Object.fromEntries(widths.map((width, i) => [i, draw(`first ${i}`, [3, 3, from, width])])),
    second: Object.fromEntries(widths.map((width, i) => [i, draw(`second ${i}`, [3, 3, width, to])])),
  };
  const program = await engine.compile(
    g.trace(feeds, ({ x, first, second }) => {
      const [before, after] = [Object.values(first), Object.values(second)];
      // Another thing for each part, so that they cannot be mixed up.
      const between = (hidden: g.Tensor, start: number) => g.swish(g.add(hidden, start));
      const whole = g.concat(
        before.map((taps, part) => between(conv3x3Winograd(taps, x), starts[part]!)),
        2,
      );
      return {
        parts: conv3x3Twice(before, after, x, between),
        whole: conv3x3Winograd(g.concat(after, 2), whole),
      };
    }),
  );
  const { parts, whole } = await program.run(feeds);
  const largest = Math.max(...Array.from(whole!.data, Math.abs));
  const worst = Math.max(...Array.from(whole!.data, (v, i) => Math.abs(v - parts!.data[i]!)));
  expect(worst / largest).toBeLessThan(1e-5);
});
