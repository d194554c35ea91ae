/**
 * Inception v3 (Szegedy et al., 1512.00567) as the Fréchet Inception distance is defined on: the network of 2015 with
 * 1008 classes, under the names of torchvision. The structure is written once, over any kind of operand.
 */

/** What the structure is made of, for operands of one kind. */
export interface InceptionOps<X> {
  /** A convolution without bias, batch normalisation (epsilon 0.001) and ReLU. */
  conv(name: string, x: X, to: number, kernel: readonly [number, number], options?: ConvOptions): X;
  /** Windows of 3 x 3. */
  maxPool(x: X, stride: 1 | 2): X;
  /** Windows of 3 x 3, stride 1; zeros beyond the edge do not count. */
  averagePool(x: X): X;
  concat(parts: readonly X[]): X;
}

export interface ConvOptions {
  readonly stride?: 1 | 2;
  /** Rows above and below, columns left and right. */
  readonly pads?: readonly [number, number];
}

const same = { pads: [1, 1] } as const;
const half = { stride: 2 } as const;

/** Features `[batch, 2048 / thinner, 8, 8]` of scaled pictures `[batch, 3, 299, 299]`. */
export function inceptionFeatures<X>(ops: InceptionOps<X>, picture: X, thinner = 1): X {
  const layer = (name: string, x: X, to: number, kernel: number | readonly [number, number], options?: ConvOptions) =>
    ops.conv(name, x, to / thinner, typeof kernel === 'number' ? [kernel, kernel] : kernel, options);

  let x = layer('Conv2d_1a_3x3', picture, 32, 3, half);
  x = layer('Conv2d_2a_3x3', x, 32, 3);
  x = layer('Conv2d_2b_3x3', x, 64, 3, same);
  x = ops.maxPool(x, 2);
  x = layer('Conv2d_3b_1x1', x, 80, 1);
  x = layer('Conv2d_4a_3x3', x, 192, 3);
  x = ops.maxPool(x, 2);
  for (const [name, pooled] of [
    ['Mixed_5b', 32],
    ['Mixed_5c', 64],
    ['Mixed_5d', 64],
  ] as const)
    x = ops.concat([
      layer(`${name}.branch1x1`, x, 64, 1),
      layer(`${name}.branch5x5_2`, layer(`${name}.branch5x5_1`, x, 48, 1), 64, 5, { pads: [2, 2] }),
      twice3x3(name, x, 96, same),
      layer(`${name}.branch_pool`, ops.averagePool(x), pooled, 1),
    ]);
  x = ops.concat([layer('Mixed_6a.branch3x3', x, 384, 3, half), twice3x3('Mixed_6a', x, 96, half), ops.maxPool(x, 2)]);
  for (const [name, inner] of [
    ['Mixed_6b', 128],
    ['Mixed_6c', 160],
    ['Mixed_6d', 160],
    ['Mixed_6e', 192],
  ] as const)
    x = ops.concat([
      layer(`${name}.branch1x1`, x, 192, 1),
      lines(`${name}.branch7x7`, layer(`${name}.branch7x7_1`, x, inner, 1), [
        [inner, 'row'],
        [192, 'column'],
      ]),
      lines(`${name}.branch7x7dbl`, layer(`${name}.branch7x7dbl_1`, x, inner, 1), [
        [inner, 'column'],
        [inner, 'row'],
        [inner, 'column'],
        [192, 'row'],
      ]),
      layer(`${name}.branch_pool`, ops.averagePool(x), 192, 1),
    ]);
  const narrow = lines('Mixed_7a.branch7x7x3', layer('Mixed_7a.branch7x7x3_1', x, 192, 1), [
    [192, 'row'],
    [192, 'column'],
  ]);
  x = ops.concat([
    layer('Mixed_7a.branch3x3_2', layer('Mixed_7a.branch3x3_1', x, 192, 1), 320, 3, half),
    layer('Mixed_7a.branch7x7x3_4', narrow, 192, 3, half),
    ops.maxPool(x, 2),
  ]);
  for (const name of ['Mixed_7b', 'Mixed_7c']) {
    const doubled = layer(`${name}.branch3x3dbl_2`, layer(`${name}.branch3x3dbl_1`, x, 448, 1), 384, 3, same);
    x = ops.concat([
      layer(`${name}.branch1x1`, x, 320, 1),
      ...cross(`${name}.branch3x3_2`, layer(`${name}.branch3x3_1`, x, 384, 1)),
      ...cross(`${name}.branch3x3dbl_3`, doubled),
      // The network of 2015 takes the largest here, where later ones take the mean.
      layer(`${name}.branch_pool`, name === 'Mixed_7c' ? ops.maxPool(x, 1) : ops.averagePool(x), 192, 1),
    ]);
  }
  return x;

  function twice3x3(name: string, input: X, to: number, last: ConvOptions): X {
    const first = layer(`${name}.branch3x3dbl_2`, layer(`${name}.branch3x3dbl_1`, input, 64, 1), 96, 3, same);
    return layer(`${name}.branch3x3dbl_3`, first, to, 3, last);
  }

  /** Convolutions of one row or column of seven, numbered from 2. */
  function lines(name: string, input: X, steps: readonly (readonly [number, 'row' | 'column'])[]): X {
    return steps.reduce(
      (h, [to, kind], i) =>
        kind === 'row'
          ? layer(`${name}_${i + 2}`, h, to, [1, 7], { pads: [0, 3] })
          : layer(`${name}_${i + 2}`, h, to, [7, 1], { pads: [3, 0] }),
      input,
    );
  }

  function cross(name: string, input: X): X[] {
    return [
      layer(`${name}a`, input, 384, [1, 3], { pads: [0, 1] }),
      layer(`${name}b`, input, 384, [3, 1], { pads: [1, 0] }),
    ];
  }
}
