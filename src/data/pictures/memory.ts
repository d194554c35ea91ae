/** How much memory encoded and decoded pictures may take together, on however many cores they are worked on. */

import { Budget } from '../../base/concurrency.ts';

const MIB = 2 ** 20;

/** Bytes of encoded pictures that are read at once. */
export const reading = new Budget(512 * MIB);
/**
 * Bytes of pixels that are decoded at once. A job that waits here holds encoded bytes; none that holds pixels waits for
 * encoded bytes.
 */
export const decoding = new Budget(1024 * MIB);
