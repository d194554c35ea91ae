/** Pseudo text embeddings and condition dropout against the reference. */
import { it } from 'vitest';
import { onFixture } from '../../test/support/fixtures.ts';
import { compare } from '../../test/support/parity.ts';
import { dropCondition, perturb, pseudoText } from './condition.ts';

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

  it('cfdrop', () => {
    const condition = Float32Array.from(file.floats('cfdrop.cond'));
    const dropped = file.ints('cfdrop.mask');
    const got = dropCondition(condition, file.floats('cfdrop.empty_text_embed'), dropped);
    compare('sampling', 'cfdrop', got, file.floats('cfdrop.out'), { absolute: 1e-6 });
  });
});
