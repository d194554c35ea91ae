/** Whether values are finite: every array is checked before it is kept. */

import { UserError } from '../base/errors.ts';
import type { NDArray } from '../base/ndarray.ts';

/** Thrown when something that is to be kept, or was, holds NaN or infinity. */
export class NotFinite extends UserError {}

/** Numbers that are added up before their sum is tested. */
const BLOCK = 4096;

/** Whether every value is finite. Integers and truth values always are. */
export function isFiniteArray({ dtype, data }: Pick<NDArray, 'dtype' | 'data'>): boolean {
  if (dtype !== 'float32' && dtype !== 'float64') return true;
  for (let start = 0; start < data.length; start += BLOCK) {
    const end = Math.min(data.length, start + BLOCK);
    // x − x is 0 for finite numbers and NaN for all others, and the sum of zeros cannot overflow.
    let sum = 0;
    for (let i = start; i < end; i++) sum += data[i]! - data[i]!;
    if (sum !== 0) return false;
  }
  return true;
}

/**
 * @param what names the array: "params.head.weight of diffusion".
 * @throws NotFinite if a value is NaN or infinite.
 */
export function assertFinite(array: Pick<NDArray, 'dtype' | 'data'>, what: string): void {
  if (!isFiniteArray(array)) throw new NotFinite(`${what} holds numbers that are not finite (NaN or infinity)`);
}
