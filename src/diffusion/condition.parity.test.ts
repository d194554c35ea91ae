/** Pseudo text embeddings and condition dropout against the reference. */
import { afterAll, it } from 'vitest';
import { onFixture } from '../../test/support/fixtures.ts';
import { startKeepingEngine } from '../../test/support/keeping-engine.ts';
import { compare } from '../../test/support/parity.ts';
import { float32 } from '../base/ndarray.ts';
import * as g from '../graph/index.ts';
import { perturb, pseudoText } from './condition.ts';
import { seenConditions } from './programs.ts';

const engine = startKeepingEngine();
afterAll(() => engine.close());

onFixture('sampling', (file) => {
  it.each(file.matching(/^lafite\.alpha([\d.]+)\.norm[01]$/))('lafite, alpha %s', (alpha) => {
    const inputs = [
      file.floats('lafite.f'),
      file.floats('lafite.noise'),
      Number(alpha),
      file.tensor('lafite.f').shape[1]!,
    ] as const;
    compare('sampling', 'lafite norm0', perturb(...inputs), file.floats(`lafite.alpha${alpha}.norm0`), {
      absolute: 1e-6,
    });
    compare('sampling', 'lafite norm1', pseudoText(...inputs), file.floats(`lafite.alpha${alpha}.norm1`), {
      absolute: 1e-6,
    });
  });

  it('the null condition takes the place of those that are dropped', async () => {
    const dropped = Float32Array.from(file.ints('cfdrop.mask'));
    const nullEmbedding = Float32Array.from(file.floats('cfdrop.empty_text_embed'));
    const feeds = {
      condition: float32(Float32Array.from(file.floats('cfdrop.cond')), [dropped.length, nullEmbedding.length]),
      nullEmbedding: float32(nullEmbedding, [nullEmbedding.length]),
      dropped: float32(dropped, [dropped.length, 1]),
    };
    const program = g.trace(feeds, (inputs) => ({
      seen: seenConditions(inputs.nullEmbedding, inputs.condition, inputs.dropped),
    }));
    const { seen } = await (await engine.compile(program)).run(feeds);
    compare('sampling', 'cfdrop', seen!.data, file.floats('cfdrop.out'), { absolute: 1e-6 });
  });
});
