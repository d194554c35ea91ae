/** What the published protocols make of options and prompts. */

import { expect, it } from 'vitest';
import { underProtocol } from './protocols.ts';

const own = { hasOwnPrompts: true, prefix: '' };

it('without a protocol options and prompts stay as they are', () => {
  expect(underProtocol({ count: 3 }, ['a'], own)).toEqual({ bestOf: 1, count: 3, prompts: ['a'] });
  expect(underProtocol({ count: 3, bestOf: 2 }, ['a'], own)).toMatchObject({ bestOf: 2 });
});

it('the protocol of FFHQ draws the best of 16, and puts its words before a prompt once', () => {
  const options = { count: 4, protocol: 'ffhq' } as const;
  const expected = { bestOf: 16, count: 1, prompts: ['a photograph of a man'] };
  expect(underProtocol(options, ['a man'], own)).toEqual(expected);
  expect(underProtocol(options, ['a man'], { ...own, prefix: 'a photograph of ' }).prompts).toEqual(['a man']);
});

it('a protocol has prompts of its own, which must be named', () => {
  const none = { hasOwnPrompts: false, prefix: '' };
  expect(() => underProtocol({ count: 4, protocol: 'coco' }, ['a'], none)).toThrow(
    /captions of COCO val2014 .*cocodataset\.org\): .*--prompts <file>/,
  );
});
