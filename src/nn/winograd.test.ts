/** Winograd against the definition: the plain convolution primitive, for values and both gradients, on grids of any side. */

import { afterAll, expect, it } from 'vitest';
import * as g from '../graph/index.ts';
import { float32, sizeOf } from '../ndarray.ts';
import { normals } from '../random/noise.ts';
import { Engine } from '../runtime/engine.ts';
import { conv3x3Taps, conv3x3Tokens, conv3x3Twice } from './winograd.ts';

const engine = Engine.start({ threads: 1 });
afterAll(() => engine.close());

const draw = (stream: string, shape: number[]) =>
  float32(Float32Array.from(normals({ seed: 1, stream, step: 0 }, 0, sizeOf(shape))), shape);

it.each([1, 2, 3, 4, 6, 8, 9])('side %i', async (side) => {
  const [batch, from, to] = [2, 5, 7];
  const feeds = {
    x: draw('x', [batch, side * side, from]),
    w: draw('w', [to, from, 3, 3]),
    r: draw('r', [batch, side * side, to]),
  };
  const program = await engine.compile(
    g.trace(feeds, ({ x, w, r }) => {
      const fast = conv3x3Tokens(w, x);
      const image = g.reshape(g.transpose(x, [0, 2, 1]), [batch, from, side, side]);
      const plain = g.transpose(g.reshape(g.conv2d(image, w, { pads: 1 }), [batch, to, side * side]), [0, 2, 1]);
      const gradients = (y: g.Tensor) => g.grad(g.sum(g.mul(y, r)), { x, w });
      return { fast: { y: fast, ...gradients(fast) }, plain: { y: plain, ...gradients(plain) } };
    }),
  );
  const out = await program.run(feeds);
  for (const part of ['y', 'x', 'w']) {
    const [fast, plain] = [out[`fast.${part}`]!.data, out[`plain.${part}`]!.data];
    const largest = Math.max(...Array.from(plain, Math.abs));
    const worst = Math.max(...Array.from(plain, (v, i) => Math.abs(v - fast[i]!)));
    expect(worst / largest, part).toBeLessThan(1e-5);
  }
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
        before.map((taps, part) => between(conv3x3Taps(taps, x), starts[part]!)),
        2,
      );
      return {
        parts: conv3x3Twice(before, after, x, between),
        whole: conv3x3Taps(g.concat(after, 2), whole),
      };
    }),
  );
  const { parts, whole } = await program.run(feeds);
  const largest = Math.max(...Array.from(whole!.data, Math.abs));
  const worst = Math.max(...Array.from(whole!.data, (v, i) => Math.abs(v - parts!.data[i]!)));
  expect(worst / largest).toBeLessThan(1e-5);
});
