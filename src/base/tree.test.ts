import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type NDArray, scalar, type Tree } from './ndarray.ts';
import { flatten, mapTree, unflatten } from './tree.ts';

const key = fc
  .string({ minLength: 1 })
  .filter((text) => !text.includes('.') && text !== '__proto__' && text !== 'dtype');
const anyTree: fc.Arbitrary<Tree<NDArray>> = fc.letrec<{ tree: Tree<NDArray> }>((tie) => ({
  tree: fc.oneof(
    { maxDepth: 4 },
    fc.integer().map(scalar),
    fc.dictionary(key, tie('tree'), { minKeys: 1, maxKeys: 4 }),
  ),
})).tree;

describe('trees', () => {
  it('flatten to dotted paths in order of insertion', () => {
    const [a, b] = [scalar(1), scalar(2)];
    expect(Object.entries(flatten({ out: a, attn: { key: { weight: b } } }))).toEqual([
      ['out', a],
      ['attn.key.weight', b],
    ]);
  });

  it('unflatten is the inverse of flatten, and mapping keeps the structure', () => {
    fc.assert(
      fc.property(anyTree, (tree) => {
        expect(unflatten(flatten(tree))).toEqual(tree);
        expect(mapTree(tree, (leaf) => leaf)).toEqual(tree);
      }),
    );
  });

  it.each(['a.b', ''])('refuse the key "%s", which would not come back', (bad) => {
    expect(() => flatten({ ok: { [bad]: scalar(1) } })).toThrow(/key/);
  });
});
