/** Conditions of every kind as unit vectors: texts, pictures, embeddings, mixes, and places between. */

import { describe, expect, it } from 'vitest';
import { UserError } from '../base/errors.ts';
import { type Condition, checkCondition, nameOf, plainConditions, slerp, vectorOf } from './conditions.ts';
import { embedConditions } from './embedding.ts';

const picture = { width: 1, height: 1, data: Uint8Array.of(1, 2, 3) };
const axes: Readonly<Record<string, Float32Array>> = {
  x: Float32Array.of(1, 0, 0),
  y: Float32Array.of(0, 1, 0),
  'not x': Float32Array.of(-1, 0, 0),
};
const vector = (condition: Condition) => [...vectorOf(condition, (part) => axes[nameOf(part)]!)];
const close = (values: readonly number[], expected: readonly number[]) => {
  for (const [i, value] of values.entries()) expect(value).toBeCloseTo(expected[i]!, 6);
};

describe('a condition', () => {
  it('that is plain is its own vector; a mix is the weighted mean, made as long as one', () => {
    expect(vector('x')).toEqual([1, 0, 0]);
    const mix = (x: number, y: number) => ({
      mix: [
        { of: 'x', weight: x },
        { of: 'y', weight: y },
      ],
    });
    close(vector(mix(3, 4)), [0.6, 0.8, 0]);
    close(vector(mix(0.3, 0.4)), [0.6, 0.8, 0]);
    expect(vector({ mix: [{ of: 'x', weight: 0.1 }] })).toEqual([1, 0, 0]);
    expect(() =>
      vector({
        mix: [
          { of: 'x', weight: 1 },
          { of: 'not x', weight: 1 },
        ],
      }),
    ).toThrow(/cancel each other/);
  });

  it('between two goes along the arc at an even pace, whatever is mixed at its ends', () => {
    const at = (place: number) => vector({ between: ['x', 'y'], at: place });
    expect([at(0), at(1)]).toEqual([
      [1, 0, 0],
      [0, 1, 0],
    ]);
    for (const place of [0.1, 0.5, 0.9]) {
      const angle = (place * Math.PI) / 2;
      close(at(place), [Math.cos(angle), Math.sin(angle), 0]);
    }
    close(vector({ between: ['x', { mix: [{ of: 'x', weight: 2 }] }], at: 0.4 }), [1, 0, 0]);
    expect(() => vector({ between: ['x', 'not x'], at: 0.5 })).toThrow(/opposites/);
    expect(Math.hypot(...slerp(Float32Array.of(0.6, 0.8), Float32Array.of(0.8, 0.6), 0.3))).toBeCloseTo(1, 6);
  });

  it('has a name and knows its parts', () => {
    const condition: Condition = {
      between: [
        {
          mix: [
            { of: 'a man', weight: 0.7 },
            { of: { picture, name: 'cat.png' }, weight: 0.3 },
          ],
        },
        { picture },
      ],
      at: 1 / 3,
    };
    expect(nameOf(condition)).toBe('0.7 a man + 0.3 cat.png -> a picture 0.333');
    expect(plainConditions(condition)).toEqual(['a man', { picture, name: 'cat.png' }, { picture }]);
  });

  it.each<[string, unknown, RegExp]>([
    ['no weight', { mix: [{ of: 'x' }] }, /Prompt 2 has the weight undefined: weights are numbers above 0/],
    ['a weight of 0', { mix: [{ of: 'x', weight: 0 }] }, /weight 0/],
    ['a weight below 0', { mix: [{ of: 'x', weight: -0.3 }] }, /weight -0.3/],
    ['nothing to mix', { mix: [] }, /mix of Prompt 2 is empty/],
    ['an empty text in a mix', { mix: [{ of: ' ', weight: 1 }] }, /Prompt 2 is empty/],
    ['a place beyond the ends', { between: ['x', 'y'], at: 1.5 }, /lies at 1.5/],
    ['one end', { between: ['x'], at: 0 }, /give two conditions/],
    ['an embedding of zeros', { embedding: new Float32Array(3) }, /has the length 0/],
    ['an embedding of NaN', { embedding: Float32Array.of(NaN) }, /has the length NaN/],
    ['an embedding that is a list', { embedding: [1] }, /give a Float32Array/],
    ['half a picture', { picture: { ...picture, width: 2 } }, /picture of Prompt 2 is no/],
    ['another object', { text: 'x' }, /give one of these/],
  ])('with %s is refused in one line', (_, condition, message) => {
    const checking = () => checkCondition(condition as Condition, 'Prompt 2');
    expect(checking).toThrow(UserError);
    expect(checking).toThrow(message);
  });
});

describe('embedding', () => {
  const calls: string[] = [];
  const clip = {
    dim: 3,
    embedTexts: async (texts: readonly string[]) => {
      calls.push(...texts);
      return Float32Array.from(texts.flatMap((text) => [...axes[text.replace('of ', '')]!]));
    },
    embedImages: async (pictures: readonly unknown[]) => Float32Array.from(pictures.flatMap(() => [0, 0, 1])),
  };
  /** Turns x into y. */
  const correct = (rows: Float32Array) => rows.map((_, i) => rows[i % 3 === 0 ? i + 1 : i % 3 === 1 ? i - 1 : i]!);

  it('corrects texts and nothing else, and embeds each text once', async () => {
    const conditions: Condition[] = [
      'x',
      { picture },
      { embedding: Float32Array.of(2, 0, 0) },
      { between: ['x', 'y'], at: 1 },
    ];
    const embedded = await embedConditions(conditions, { clip, prefix: 'of ', correct, negative: 'y' });
    expect([...embedded.targets]).toEqual([1, 0, 0, 0, 0, 1, 1, 0, 0, 0, 1, 0]);
    expect([...embedded.conditions]).toEqual([0, 1, 0, 0, 0, 1, 1, 0, 0, 1, 0, 0]);
    expect([...embedded.negative!]).toEqual([1, 0, 0]);
    expect(calls).toEqual(['of x', 'of y', 'of y']);
  });

  it('refuses an embedding of another width', async () => {
    const narrow = [{ embedding: Float32Array.of(1) }];
    const embedding = embedConditions(narrow, { clip, prefix: '', correct, negative: undefined });
    await expect(embedding).rejects.toThrow(/has 1 numbers; those of this model's CLIP have 3/);
  });
});
