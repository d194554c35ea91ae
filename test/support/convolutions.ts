/** Ways to compute a 3x3 convolution, against the plain primitive. */

import { float32, sizeOf } from '../../src/base/ndarray.ts';
import type { Engine } from '../../src/engine/engine.ts';
import type { Tensor } from '../../src/graph/index.ts';
import * as g from '../../src/graph/index.ts';
import { normals } from '../../src/random/noise.ts';

export const draw = (stream: string, shape: number[]) =>
  float32(Float32Array.from(normals({ seed: 1, stream, step: 0 }, 0, sizeOf(shape))), shape);

/**
 * The largest differences of `convolve` (taps [3, 3, in, out] and [batch, tokens, in] to [batch, tokens, out]) from the
 * definition, each over the largest value: of the result `y` and the gradients `x` and `taps` of its sum weighted at
 * random.
 */
export async function againstDefinition(
  engine: Engine,
  convolve: (taps: Tensor, x: Tensor) => Tensor,
  { side, ...options }: { readonly side: number } & NonNullable<Parameters<typeof g.conv2d>[2]>,
): Promise<Readonly<Record<'y' | 'x' | 'taps', number>>> {
  const [batch, from, to] = [2, 5, 7];
  const outSide = side / (options.stride ?? 1);
  const feeds = {
    x: draw('x', [batch, side * side, from]),
    taps: draw('taps', [3, 3, from, to]),
    r: draw('r', [batch, outSide * outSide, to]),
  };
  const program = await engine.compile(
    g.trace(feeds, ({ x, taps, r }) => {
      const image = g.reshape(g.transpose(x, [0, 2, 1]), [batch, from, side, side]);
      const defined = g.conv2d(image, g.transpose(taps, [3, 2, 0, 1]), options);
      const plain = g.transpose(g.reshape(defined, [batch, to, outSide * outSide]), [0, 2, 1]);
      const withGradients = (y: Tensor) => ({ y, ...g.grad(g.sum(g.mul(y, r)), { x, taps }) });
      return { given: withGradients(convolve(taps, x)), plain: withGradients(plain) };
    }),
  );
  const out = await program.run(feeds);
  const worst = (part: string) => {
    const [given, plain] = [out[`given.${part}`]!.data, out[`plain.${part}`]!.data];
    const largest = Math.max(...Array.from(plain, Math.abs));
    return Math.max(...Array.from(plain, (v, i) => Math.abs(v - given[i]!))) / largest;
  };
  return { y: worst('y'), x: worst('x'), taps: worst('taps') };
}
