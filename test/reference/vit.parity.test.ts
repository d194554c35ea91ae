/** The CLIP of the reference, its towers and its preprocessing, against the official program. */
import { afterAll, expect, it } from 'vitest';
import { float32 } from '../../src/base/ndarray.ts';
import * as g from '../../src/graph/index.ts';
import { normalize } from '../../src/nn/layers.ts';
import { adopt } from '../../src/nn/parameters.ts';
import { onFixture } from '../support/fixtures.ts';
import { startKeepingEngine } from '../support/keeping-engine.ts';
import { compare, NETWORK } from '../support/parity.ts';
import { clipConfig, type OfficialClip } from '../support/reference-clip.ts';
import {
  CLIP_MEAN,
  CLIP_STD,
  clipPixels,
  embedPatches,
  imageFeatures,
  imageLogits,
  textFeatures,
  vitClipParameters,
} from './vit.ts';

const engine = startKeepingEngine();
afterAll(() => engine.close());

onFixture('clip', (file) => {
  it('computes the features of both towers', async () => {
    const config = clipConfig(file.setting('config') as OfficialClip);
    expect(config.imageHeads).toBe(file.number('vision_heads'));
    const stored = file.under('params.');
    // Scalars are stored as [1].
    stored.logit_scale = float32(Float32Array.from(file.floats('params.logit_scale')), []);
    const params = adopt(vitClipParameters(config), stored, 'fixtures/clip');
    const feeds = { images: file.feed('images'), tokens: file.feed('tokens') };
    const program = await engine.compile(
      g.trace({ state: { params }, ...feeds }, ({ state: { params }, images, tokens }) => {
        const image = imageFeatures(params, images, config.imageHeads);
        const text = textFeatures(params, tokens, config.textHeads);
        // The file holds the logits of as many texts as there are images.
        const texts = g.slice(text, 0, 0, file.tensor('logits_per_image').shape[1]!);
        return {
          patch_embed: embedPatches(params.visual, images),
          image_features: image,
          text_features: text,
          image_features_norm: normalize(image),
          text_features_norm: normalize(text),
          logits_per_image: imageLogits(params, image, texts),
        };
      }),
    );
    await engine.load({ params });
    for (const [name, { data }] of Object.entries(await program.run(feeds))) {
      compare('clip', name, data, file.floats(name), NETWORK);
    }
  });

  it.each(file.matching(/^pre\.(down|up)$/))('preprocessing, %s', async (name) => {
    compare(
      'clip',
      'mean and std',
      [...CLIP_MEAN, ...CLIP_STD],
      [file.setting('mean'), file.setting('std')].flat() as number[],
      {},
    );
    const { shape } = file.tensor('pre.image255');
    const images = float32(
      Float32Array.from(file.floats('pre.image255'), (value) => value / 255),
      shape,
    );
    const size = file.number(`pre_${name}_size`);
    const program = await engine.compile(g.trace({ images }, ({ images }) => ({ pixels: clipPixels(images, size) })));
    const { pixels } = await program.run({ images });
    compare('clip', `pre.${name}`, pixels!.data, file.floats(`pre.${name}`), { relative: 1e-5, absolute: 1e-5 });
  });
});
