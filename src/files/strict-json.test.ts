/** Strict JSON: everything JSON.parse takes, minus repeated keys. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseStrictJson } from './strict-json.ts';

describe('parseStrictJson', () => {
  it('agrees with JSON.parse on values without repeated keys, in any spacing', () => {
    fc.assert(
      fc.property(fc.jsonValue({ noUnicodeString: false }), fc.nat(3), (value, indent) => {
        const text = JSON.stringify(value, null, indent);
        expect(parseStrictJson(text)).toEqual(JSON.parse(text));
      }),
    );
  });

  it.each(['{"a":1,"a":1}', '{"a":1,"\\u0061":2}', '{"x":[{"b":{},"c":"}","b" : 0}]}', '{"\\"":1, "\\"" \n:2}'])(
    'refuses %s',
    (text) => {
      expect(() => parseStrictJson(text)).toThrow(/is there twice/);
    },
  );

  it.each([
    '{"a":{"a":"a"},"b":{"a":["a","a"]}}',
    '[{"a":1},{"a":1}]',
    '{"a":"\\"a\\":","b":"{\\"a\\":1,\\"a\\":2}"}',
    '{"\\\\":1,"\\\\\\\\":2}',
  ])('takes %s, whose repetitions are not keys of one object', (text) => {
    expect(parseStrictJson(text)).toEqual(JSON.parse(text));
  });

  it('refuses what is not JSON', () => {
    for (const text of ['', '{', '{"a"}', "{'a':1}", '{"a":1,}', '"']) {
      expect(() => parseStrictJson(text)).toThrow(SyntaxError);
    }
  });
});
