import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { AutoTokenizer, env, type PreTrainedTokenizer } from '@huggingface/transformers';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { anyText } from '../../../test/support/any-text.ts';
import { type Bpe, END, END_OF_WORD, PAD, START, trainBpe } from './bpe.ts';
import { tokenizerFiles } from './tokenizer-files.ts';

const corpus = [
  'a photo of a woman with long red hair',
  "A man's red hat, a blue hoodie and 2 glasses!",
  'smiling person on a blue background',
  'déjà vu: a red-haired woman in a café',
];
const bpe = trainBpe(Array(3).fill(corpus).flat(), 2000);
const texts = (of: Bpe, ids: readonly number[]) => ids.map((id) => of.tokens[id]);

/** What the tokens spell: their bytes, without word ends. */
function spelled(ids: readonly number[]): string {
  const symbols = ids.slice(1, -1).map((id) => bpe.tokens[id]!.replace(END_OF_WORD, ''));
  const bytes = [...symbols.join('')].map((symbol) => bpe.tokens.indexOf(symbol));
  return new TextDecoder().decode(Uint8Array.from(bytes));
}

describe('training', () => {
  it('merges the most frequent pair first, equals by their order', () => {
    // "a b" and "b c</w>" occur three times each; "a b</w>", once, is never merged.
    expect(trainBpe(['abc abc abc ab'], 520).merges).toEqual([
      ['a', 'b'],
      ['ab', `c${END_OF_WORD}`],
    ]);
    expect(trainBpe(['xy xy zw zw'], 516).merges).toEqual([['x', `y${END_OF_WORD}`]]);
  });

  it('keeps to the size and stops where nothing repeats', () => {
    expect(trainBpe(corpus, 530).tokens).toHaveLength(530);
    expect(trainBpe(['abcdef'], 600).merges).toEqual([]);
  });
});

describe('encoding', () => {
  it('gives words of the corpus one token each and ignores case and spacing', () => {
    const ids = bpe.encode('  A PHOTO of\n a woman ');
    expect(texts(bpe, ids)).toEqual([START, ...['a', 'photo', 'of', 'a', 'woman'].map((w) => w + END_OF_WORD), END]);
  });

  it('loses nothing but spaces', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme' }), (text) => {
        fc.pre(!text.includes('<|'));
        expect(spelled(bpe.encode(text))).toBe(text.normalize('NFC').toLowerCase().replaceAll(/\s+/gu, ''));
      }),
    );
  });

  it('numbers the tokens that texts contain, and gives the others one number', () => {
    const { rows, known } = bpe.rowsOf(['red hat', 'a hat']);
    const place = (token: string) => rows[bpe.id(token)];
    const inside = [`a${END_OF_WORD}`, `red${END_OF_WORD}`, `hat${END_OF_WORD}`, START, END];
    expect(known).toBe(5);
    expect(inside.map(place).sort()).toEqual([0, 1, 2, 3, 4]);
    expect([PAD, `blue${END_OF_WORD}`, 'x'].map(place)).toEqual([5, 5, 5]);
  });

  it('counts special tokens that are written out as themselves', () => {
    expect(texts(bpe, bpe.encode(`a${END}${PAD}`))).toEqual([START, `a${END_OF_WORD}`, END, PAD, END]);
  });
});

describe('the tokenizer files', () => {
  const folder = mkdtempSync(path.join(tmpdir(), 'clipvq-bpe-'));
  let tokenizer: PreTrainedTokenizer;
  beforeAll(async () => {
    for (const [name, content] of Object.entries(tokenizerFiles(bpe, 32))) {
      writeFileSync(path.join(folder, name), JSON.stringify(content));
    }
    env.allowRemoteModels = false;
    tokenizer = await AutoTokenizer.from_pretrained(folder);
  });
  afterAll(() => rmSync(folder, { recursive: true }));

  const theirs = (text: string): number[] => tokenizer.encode(text);

  it('make the library encode as we do', () => {
    const hard = [
      ...['', ' ', 'a', "it's they're I'd we'll I'm you've don't", 'x1234y', '3.14', 'RED—hat…', '!?!', "''s", "'S"],
      ...[
        '😀👩‍🦰 woman',
        'İstanbul ŞAPKA',
        'ǅ ﬁ ß ẞ',
        'e\u0301 é',
        '日本語の顔',
        'नमस्ते',
        '\u00a0a\u2003b\u200bc',
        '\ud800 lone',
      ],
      ...[
        'a_b-c',
        '</w>',
        'hat</w>',
        `${START} red`,
        '<|endoftext',
        'ab\tc\r\nd',
        'abcabcabc'.repeat(40),
        'ĠĊ',
        '\u00ad\u007f\u0000',
      ],
    ];
    for (const text of [...corpus, ...hard]) expect([text, theirs(text)]).toEqual([text, bpe.encode(text)]);
    const words = fc.constantFrom('a', 'red', 'hat', 'Hats', 'photograph', ' ', ', ', "'s", '7', '-', '😀', 'é', 'ž');
    const mixed = fc.oneof(
      anyText,
      fc.array(words).map((parts) => parts.join('')),
    );
    fc.assert(
      fc.property(mixed, (text) => {
        expect(theirs(text)).toEqual(bpe.encode(text));
      }),
      { numRuns: 500 },
    );
  });

  it('pad at the end with the padding token', () => {
    const { input_ids } = tokenizer(['a red hat', 'hat'], { padding: true, truncation: false, return_tensor: false });
    const [long, short] = [bpe.encode('a red hat'), bpe.encode('hat')];
    expect(input_ids).toEqual([long, [...short, bpe.pad, bpe.pad]]);
    expect(tokenizer.model_max_length).toBe(32);
  });
});
