/** Texts for properties: all of Unicode, and the strings that programs in JavaScript stumble over. */

import fc from 'fast-check';

const SURROGATES = { first: 0xd800, count: 0x800 };
const LAST = 0x10ffff;

const character = fc
  .integer({ min: 0, max: LAST - SURROGATES.count })
  .map((n) => String.fromCodePoint(n < SURROGATES.first ? n : n + SURROGATES.count));

/**
 * Any characters, which `fc.string({ unit: 'binary' })` has too, after a second in which it makes a table of all of
 * them. Of the others, fast-check takes names such as `__proto__` now and then.
 */
export const anyText: fc.Arbitrary<string> = fc.oneof(
  fc.array(character).map((characters) => characters.join('')),
  fc.string(),
);
