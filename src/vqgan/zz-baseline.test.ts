import { createHash } from 'node:crypto';
import fs from 'node:fs';
import { it } from 'vitest';
import { makeRecipe } from '../recipe.ts';
import { Engine } from '../runtime/engine.ts';
import { flatten } from '../tree.ts';
import { tokenizerStage } from './stage.ts';

it('baseline', async () => {
  const base = makeRecipe('nano');
  const recipe = {
    imageSize: 16,
    tokenizer: { ...base.tokenizer, channels: 16, codes: 32, steps: 30, hardAfter: 0.7 },
  };
  const images = Uint8Array.from({ length: 16 * 16 * 16 * 3 }, (_, i) => ((i * 2654435761) % 256) ^ (i >> 5));
  const engine = Engine.start({ threads: 1 });
  const stage = tokenizerStage({ engine, recipe, seed: 3, images, fingerprint: 'x', onExport() {} } as never);
  await stage.prepare();
  const metrics = [];
  for (let s = 0; s < 30; s++) metrics.push(await stage.run(s));
  const h = createHash('sha256');
  for (const [n, a] of Object.entries(flatten(await engine.read(''))))
    h.update(n).update(new Uint8Array(a.data.buffer, a.data.byteOffset, a.data.byteLength));
  fs.writeFileSync(process.env.OUT!, JSON.stringify({ hash: h.digest('hex'), metrics }, null, 1));
  await engine.close();
});
