/**
 * Gradients of whole networks against stored ones, which the fixtures keep whole or as their first slices, norm and
 * sum.
 */
import type { NDArray } from '../../src/base/ndarray.ts';
import type { Fixture } from './fixtures.ts';
import { compare, NETWORK, ZERO_GRADIENT } from './parity.ts';

/**
 * Compare the outputs `grads.<parameter>` with what the file holds under `<prefix>.<parameter>`.
 * @param isZero names gradients that are zero in theory, of which only rounding remains.
 * @returns how many parameters the file had a gradient for.
 */
export function compareGradients(
  fixture: string,
  file: Fixture,
  prefix: string,
  out: Readonly<Record<string, NDArray>>,
  isZero: (parameter: string) => boolean,
): number {
  let compared = 0;
  for (const [path, { data }] of Object.entries(out)) {
    if (!path.startsWith('grads.')) continue;
    const name = path.slice('grads.'.length);
    const stored = `${prefix}.${name}`;
    if (file.names.includes(stored)) {
      if (isZero(name)) compare(fixture, `${prefix}, zero`, data, file.floats(stored), ZERO_GRADIENT);
      else compare(fixture, prefix, data, file.floats(stored), NETWORK);
    } else if (file.names.includes(`${stored}.head8`)) {
      const head = file.floats(`${stored}.head8`);
      compare(fixture, `${prefix}, head8`, data.slice(0, head.length), head, NETWORK);
      const [norm, sum] = [...file.floats(`${stored}.norm_sum`)] as [number, number];
      compare(fixture, `${prefix}, norm`, [l2Norm(data)], [norm], { relative: 1e-3 });
      // By Cauchy and Schwarz, what a relative error of 1e-4 in the gradient may do to its sum, per unit of it.
      const total = Array.from(data).reduce((a, b) => a + b, 0);
      const most = norm * Math.sqrt(data.length);
      compare(fixture, `${prefix}, sum / max sum`, [total / most], [sum / most], { relative: 1e-3, absolute: 1e-4 });
    } else continue;
    compared++;
  }
  return compared;
}

/** Of any number of values: `Math.hypot` takes only as many as fit on the stack. */
function l2Norm(values: ArrayLike<number>): number {
  let square = 0;
  for (let i = 0; i < values.length; i++) square += values[i]! ** 2;
  return Math.sqrt(square);
}
