/** Arrays of the same bytes are equal at once: going through their elements takes `toEqual` seconds for a million. */

import { expect } from 'vitest';

expect.addEqualityTesters([
  (a: unknown, b: unknown) => (ArrayBuffer.isView(a) && ArrayBuffer.isView(b) && haveSameBytes(a, b)) || undefined,
]);

/** Of arrays that differ nothing is said here: what `toEqual` prints shows where. */
function haveSameBytes(a: ArrayBufferView, b: ArrayBufferView): boolean {
  return (
    Object.getPrototypeOf(a) === Object.getPrototypeOf(b) &&
    a.byteLength === b.byteLength &&
    bytesOf(a).equals(bytesOf(b))
  );
}

const bytesOf = ({ buffer, byteOffset, byteLength }: ArrayBufferView): Buffer =>
  Buffer.from(buffer, byteOffset, byteLength);
