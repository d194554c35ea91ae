import { describe, expect, it } from 'vitest';
import { fromPlanar, toPlanar } from '../data/pictures/image.ts';
import { trainBpe } from '../embedding/compact/bpe.ts';
import { imageViews } from '../embedding/embedder.ts';
import { type BatchOptions, type CaptionedPictures, ClipBatches, planes, tokenIds } from './batches.ts';

const [size, side] = [10, 4];
const pairs: CaptionedPictures = {
  images: Uint8Array.from({ length: size * side * side * 3 }, (_, i) => (i * 37) % 256),
  size,
  side,
  caption: (index, wording) => `picture ${index} worded ${wording}`,
};
const bpe = trainBpe(['picture picture worded worded'], 600);
const options: BatchOptions = { pairs, count: 8, bpe, length: 8, batch: 3, captions: 2, shift: 1, seed: 5 };

describe('planes', () => {
  it('are the pictures in [-1, 1]', () => {
    const views = imageViews(pairs.images, side);
    expect(planes(pairs, [7, 2]).data).toEqual(toPlanar([views[7]!, views[2]!]));
  });

  it('move a picture and repeat its border', () => {
    const [still] = fromPlanar(planes(pairs, [1]).data, 1, side, side);
    const [moved] = fromPlanar(planes(pairs, [1], [2, -1]).data, 1, side, side);
    const pixel = (image: typeof still, x: number, y: number) =>
      image!.data.slice(3 * (y * side + x), 3 * (y * side + x) + 3);
    expect(pixel(moved, 3, 0)).toEqual(pixel(still, 1, 1));
    expect(pixel(moved, 0, 3)).toEqual(pixel(still, 0, 3));
    expect(pixel(moved, 1, 3)).toEqual(pixel(still, 0, 3));
  });
});

describe('batches', () => {
  const batches = new ClipBatches(options);
  const rowsOf = (step: number) => {
    const { ids } = batches.draw(step);
    const texts = Array.from({ length: size * 8 }, (_, i) => pairs.caption(i % size, Math.floor(i / size)));
    const known = new Map(texts.map((text) => [tokenIds([text], bpe, 8).data.join(), text]));
    return Array.from({ length: 6 }, (_, i) => known.get(ids.data.slice(i * 8, (i + 1) * 8).join())!);
  };

  it('are a pure function of the step', () => {
    expect(batches.draw(3)).toEqual(new ClipBatches(options).draw(3));
    expect(batches.draw(3).images).not.toEqual(batches.draw(4).images);
  });

  it('visit every picture at most once an epoch, never a held-out one, in new words each time', () => {
    const [first, second] = [rowsOf(0), rowsOf(1)];
    const indices = (texts: readonly string[], wording: number) =>
      texts.filter((text) => text.endsWith(`worded ${wording}`)).map((text) => Number(text.split(' ')[1]));
    const seen = [...indices(first, 0), ...indices(second, 0)];
    expect(new Set(seen).size).toBe(6);
    expect(Math.max(...seen)).toBeLessThan(8);
    expect(indices(first, 1)).toEqual(indices(first, 0));
    expect(indices(rowsOf(2), 2)).toHaveLength(3);
  });

  it('cut long captions but keep the end token', () => {
    const { data, shape } = tokenIds(['picture', 'picture '.repeat(30)], bpe, 8);
    expect(shape).toEqual([2, 8]);
    const [word] = bpe.encode('picture').slice(1);
    const [start, end] = [bpe.encode('')[0], bpe.encode('')[1]];
    expect([...data.slice(0, 8)]).toEqual([start, word, end, ...Array(5).fill(bpe.pad)]);
    expect([...data.slice(8)]).toEqual([start, ...Array(6).fill(word), end]);
  });
});
