/** What the vision-transformer CLIP must not see: the future, and what follows the end of a text. And its resizing. */
import { afterAll, describe, expect, it } from 'vitest';
import { float32, int32 } from '../../src/base/ndarray.ts';
import * as g from '../../src/graph/index.ts';
import { countParameters, initialize } from '../../src/nn/parameters.ts';
import { startKeepingEngine } from '../support/keeping-engine.ts';
import { CLIP_MEAN, CLIP_STD, clipPixels, textFeatures, type VitClipConfig, vitClipParameters } from './vit.ts';

const engine = startKeepingEngine();
afterAll(() => engine.close());

const config: VitClipConfig = {
  dim: 8,
  imageSize: 16,
  patchSize: 8,
  imageWidth: 16,
  imageLayers: 1,
  imageHeads: 2,
  context: 6,
  vocabulary: 20,
  textWidth: 16,
  textLayers: 2,
  textHeads: 2,
};

describe('textFeatures', () => {
  it('reads everything up to the end token and nothing behind it', async () => {
    const params = initialize(vitClipParameters(config), 1);
    const rows = [
      [18, 3, 4, 19, 0, 0],
      [18, 3, 4, 19, 7, 9],
      [18, 5, 4, 19, 0, 0],
    ];
    const tokens = int32(rows.flat(), [rows.length, config.context]);
    const program = await engine.compile(
      g.trace({ state: { params }, tokens }, ({ state: { params }, tokens }) => ({
        features: textFeatures(params, tokens, config.textHeads),
      })),
    );
    await engine.load({ params });
    const { data } = (await program.run({ tokens })).features!;
    const [first, padded, other] = rows.map((_, i) => [...data.slice(i * config.dim, (i + 1) * config.dim)]);
    padded!.forEach((value, d) => {
      expect(value).toBeCloseTo(first![d]!, 6);
    });
    expect(Math.max(...other!.map((value, d) => Math.abs(value - first![d]!)))).toBeGreaterThan(1e-3);
  });
});

describe('clipPixels', () => {
  const unit = (value: number, channel: number) => (value - CLIP_MEAN[channel]!) / CLIP_STD[channel]!;

  it.each([
    ['leaves a picture of the right size alone', [0, 0.25, 0.5, 1], [0, 0.25, 0.5, 1]],
    ['samples without antialiasing when it shrinks', [0, 0, 1, 1, 1, 1, 0, 0], [0, 1, 1, 0]],
    ['repeats the edges when it grows', [0, 1], [0, 0.25, 0.75, 1]],
  ])('%s', async (_, row, expected) => {
    const side = row.length;
    const images = float32(
      Array.from({ length: 3 * side * side }, (_, i) => row[i % side]!),
      [1, 3, side, side],
    );
    const program = await engine.compile(g.trace({ images }, ({ images }) => ({ out: clipPixels(images, 4) })));
    const { out } = await program.run({ images });
    expect(out!.shape).toEqual([1, 3, 4, 4]);
    out!.data.forEach((value, i) => {
      expect(value).toBeCloseTo(unit(expected[i % 4]!, Math.floor(i / 16)), 5);
    });
  });
});

describe('vitClipParameters', () => {
  it('counts the 151 million of ViT-B/32', () => {
    const published = {
      ...{ dim: 512, imageSize: 224, patchSize: 32, imageWidth: 768, imageLayers: 12, imageHeads: 12 },
      ...{ context: 77, vocabulary: 49_408, textWidth: 512, textLayers: 12, textHeads: 8 },
    };
    expect(countParameters(vitClipParameters(published))).toBe(151_277_313);
  });
});
