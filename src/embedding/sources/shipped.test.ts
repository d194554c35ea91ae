import fs from 'node:fs';
import path from 'node:path';
import { expect, it } from 'vitest';
import { UserError } from '../../base/errors.ts';
import { openEmbedder } from '../embedder.ts';
import { clipName } from './clip-source.ts';
import { SHIPPED, shippedClip, shippedModel } from './shipped.ts';

it('says in one line how to get the shipped CLIP back where it is missing', () => {
  expect(() => shippedClip('/nowhere')).toThrow(UserError);
  expect(() => shippedClip('/nowhere')).toThrow(
    /^The CLIP that is shipped is missing from .*: get it back by git checkout/,
  );
});

it('says in one line how to get the shipped model back, and finds it where it is', () => {
  expect(() => shippedModel('/nowhere')).toThrow(
    /^The model that is shipped is missing from .*: get it back by git checkout/,
  );
  expect(fs.existsSync(path.join(shippedModel(), 'tokenizer', 'model.safetensors'))).toBe(true);
});

it('opens by its name, and knows a bald face from a hat', async () => {
  expect(clipName(SHIPPED)).toBe(shippedClip());
  const clip = await openEmbedder(SHIPPED, { threads: 1 });
  try {
    const texts = await clip.embedTexts(['a bald man', 'a man without hair, a shaved head', 'a woman in a red hat']);
    const cosine = (i: number, j: number) => {
      let sum = 0;
      for (let d = 0; d < clip.dim; d++) sum += texts[i * clip.dim + d]! * texts[j * clip.dim + d]!;
      return sum;
    };
    expect(cosine(0, 1)).toBeGreaterThan(cosine(0, 2) + 0.2);
  } finally {
    await clip.close();
  }
});
