/**
 * Drawn equals recorded: attributes against DiceBear's own report, backgrounds against pixels, all of it reproducible.
 */

import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { faceAttributes } from './attributes.ts';
import { avatarOf } from './avatar.ts';
import { drawFace } from './drawing.ts';
import { backgrounds, fabricColors, hairColors, skins } from './palette.ts';
import { captionsId, facePairs, facesSource } from './source.ts';

const seeds = fc.integer({ min: 0, max: 2 ** 40 });
const indices = fc.integer({ min: 0, max: 1e6 });

it('captions have a version, which changes with them and is part of what learns from them', () => {
  const { caption } = facePairs({ seed: 1, count: 300, offset: 0 });
  const all = Array.from({ length: 300 }, (_, i) => caption(i, i % 5)).join('\n');
  // Whoever changes captions raises the version, so that a CLIP begun with others is not resumed with these.
  expect([captionsId(), createHash('sha256').update(all).digest('hex').slice(0, 16)]).toEqual([
    undefined,
    'be3f08f223f6bd13',
  ]);
  expect(captionsId(2)).toBe('captions 2');
});

describe('attributes', () => {
  it('are what DiceBear says it drew', () => {
    fc.assert(
      fc.property(seeds, indices, (seed, index) => {
        const face = faceAttributes(seed, index);
        const { extra } = avatarOf(face, 64).toJson();
        const { head, eyewear, facialHair, clothes } = face;
        expect(extra.top).toBe(head.kind === 'bald' ? undefined : head.style);
        if (head.kind === 'hair') expect(extra.hairColor).toBe(`#${hairColors[head.color]}`);
        if (head.kind === 'hat') expect(extra.hatColor).toBe(`#${fabricColors[head.color]}`);
        expect(extra.accessories).toBe(eyewear?.style);
        if (eyewear) expect(extra.accessoriesColor).toBe(`#${fabricColors[eyewear.color]}`);
        expect(extra.facialHair).toBe(facialHair?.style);
        if (facialHair) expect(extra.facialHairColor).toBe(`#${hairColors[facialHair.color]}`);
        expect(extra.clothing).toBe(clothes.style);
        expect(extra.clothesColor).toBe(`#${fabricColors[clothes.color]}`);
        if (clothes.graphic) expect(extra.clothingGraphic).toBe(clothes.graphic);
        expect(extra.skinColor).toBe(`#${skins[face.skin]}`);
        expect([extra.mouth, extra.eyes, extra.eyebrows]).toEqual([face.mouth, face.eyes, face.eyebrows]);
        expect(extra.primaryBackgroundColor).toBe(`#${backgrounds[face.background]}`);
      }),
      { numRuns: 400 },
    );
  });

  it('vary: every style and colour turns up, none takes over', () => {
    const counts = new Map<string, number>();
    const faces = Array.from({ length: 4000 }, (_, i) => faceAttributes(5, i));
    for (const face of faces) {
      const { head, eyewear, facialHair, clothes } = face;
      const seen = [
        ...['background', 'skin', 'mouth', 'eyes'].map(
          (k) => `${k} ${face[k as 'background' | 'skin' | 'mouth' | 'eyes']}`,
        ),
        ...(head.kind === 'bald' ? ['bald'] : [`${head.kind} ${head.style}`, `${head.kind} ${head.color}`]),
        ...[
          `eyewear ${eyewear?.style}`,
          `beard ${facialHair?.style}`,
          `clothes ${clothes.style}`,
          `clothes ${clothes.color}`,
        ],
      ];
      for (const key of seen) counts.set(key, (counts.get(key) ?? 0) + 1);
    }
    for (const name of Object.keys(backgrounds)) expect(counts.get(`background ${name}`)! / 4000).toBeCloseTo(1 / 8, 1);
    expect([...counts.keys()].filter((key) => /^(hair|hat) [a-z]+[A-Z0-9]?/.test(key)).length).toBe(27 + 10 + 7 + 11);
    expect(new Set(faces.map((face) => JSON.stringify(face))).size).toBe(4000);
  });
});

describe('drawing', () => {
  it('paints the named background to the last bit, at any size', async () => {
    for (let index = 0; index < 40; index++) {
      const face = faceAttributes(1, index);
      const size = index % 2 === 0 ? 64 : 48;
      const image = await drawFace(face, size);
      expect([image.width, image.height, image.data.length]).toEqual([size, size, 3 * size * size]);
      for (const corner of [0, 3 * (size - 1), 3 * (size * 20)]) {
        const hex = Buffer.from(image.data.subarray(corner, corner + 3)).toString('hex');
        expect(hex).toBe(backgrounds[face.background]);
      }
    }
  });

  it('is a pure function of seed, index and size', async () => {
    const source = facesSource({ seed: 9, count: 4, offset: 100 });
    const again = facesSource({ seed: 9, count: 99, offset: 101 });
    expect((await source.read(2, 64)).data).toEqual((await again.read(1, 64)).data);
    expect((await source.read(2, 64)).data).not.toEqual((await source.read(1, 64)).data);
    expect((await source.read(2, 64)).data).not.toEqual(
      (await facesSource({ seed: 8, count: 4, offset: 100 }).read(2, 64)).data,
    );
    expect(source.id(2)).toBe('102');
  });

  it('stays inside its range', () => {
    const source = facesSource({ seed: 9, count: 4, offset: 100 });
    for (const index of [-1, 4, 1.5, Number.NaN]) expect(() => source.id(index)).toThrow(RangeError);
    expect(() => facesSource({ seed: 9, count: -4, offset: 100 })).toThrow('count -4');
  });
});

describe('pairs', () => {
  it('hold the same pictures as the plain source, which knows no captions', async () => {
    const range = { seed: 3, count: 5, offset: 7 };
    const pairs = facePairs(range);
    expect((await pairs.images.read(4, 64)).data).toEqual((await facesSource(range).read(4, 64)).data);
    expect(Object.keys(facesSource(range)).sort()).toEqual(['contentId', 'id', 'name', 'read', 'size']);
    expect(pairs.attributes(4)).toEqual(faceAttributes(3, 11));
  });
});
