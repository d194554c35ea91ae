/** What a picture says of its making, as other programs read it. */

import sharp from 'sharp';
import { describe, expect, it } from 'vitest';
import { encodePng } from '../data/pictures/png.ts';
import { readPngText } from '../data/pictures/read-png-text.ts';
import { isGenerated } from '../data/sources/own-files.ts';
import { makeRecipe } from '../recipe/recipe.ts';
import { type Provenance, provenanceTexts } from './provenance.ts';

const { promptPrefix: _prefix, nullEmbedding: _embedding, ...settings } = makeRecipe('nano').sampling;
const picture = (more: Partial<Provenance> = {}): Provenance => ({
  image: { width: 64, height: 48 },
  prompt: 'a man\nwith a hat',
  seed: 7,
  settings: { ...settings, steps: 12, sampler: 'ancestral', guidanceScale: 2.5 },
  ...more,
});
const texts = (more?: Partial<Provenance>) => provenanceTexts(picture(more), '0123456789abcdef', '1.2.3');

describe('provenance', () => {
  it('has the chunk that other tools read: prompt, what to avoid, and one line of settings', () => {
    const facts = 'Steps: 12, Sampler: ancestral, CFG scale: 2.5, Seed: 7, Size: 64x48, Model hash: 0123456789abcdef';
    const version = 'Version: clip-vqdiffusion 1.2.3';
    expect(texts().parameters).toBe(`a man with a hat\n${facts}, ${version}`);
    expect(texts().Prompt).toBe('a man\nwith a hat');
    const edit = { start: 'abc', strength: 0.6, named: undefined, changed: 3 };
    expect(texts({ negative: 'a cat', edit }).parameters).toBe(
      `a man with a hat\nNegative prompt: a cat\n${facts}, Denoising strength: 0.6, ${version}`,
    );
  });

  it('says as XMP that a model has drawn the picture, where image libraries look for it', async () => {
    const image = { width: 2, height: 1, data: Uint8Array.of(1, 2, 3, 4, 5, 6) };
    const file = await encodePng(image, texts());
    const { xmpAsString } = await sharp(file).metadata();
    expect(xmpAsString).toContain('xmlns:Iptc4xmpExt="http://iptc.org/std/Iptc4xmpExt/2008-02-29/"');
    expect(xmpAsString).toContain(
      'Iptc4xmpExt:DigitalSourceType="http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia"',
    );
    expect(readPngText(file)).toEqual(texts());
    expect(isGenerated(file)).toBe(true);
    const { data } = await sharp(file).raw().toBuffer({ resolveWithObject: true });
    expect([...data]).toEqual([...image.data]);
  });
});
