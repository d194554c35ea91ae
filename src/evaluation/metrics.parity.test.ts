/** FID, KID, inception score and CLIP scores against NumPy and SciPy. */
import { it } from 'vitest';
import { hesselScore, pairCosines } from '../../test/reference/clip-score.ts';
import { inceptionScore } from '../../test/reference/inception-score.ts';
import { onFixture } from '../../test/support/fixtures.ts';
import { compare } from '../../test/support/parity.ts';
import { finish } from '../base/steps.ts';
import { frechetDistance, kernelInterval, squaredMeanDistance } from './feature-distance.ts';
import { matrix } from './linear-algebra.ts';

const FLOAT64 = { relative: 1e-9, absolute: 1e-12 };

onFixture('metrics', (file) => {
  const widthOf = (name: string) => file.tensor(name).shape[1]!;

  it.each(file.matching(/^fid\.(\w+)\.feat0$/))('fid.%s', (name) => {
    const [a, b] = [file.floats(`fid.${name}.feat0`), file.floats(`fid.${name}.feat1`)];
    const dim = widthOf(`fid.${name}.feat0`);
    const value = finish(frechetDistance(a, b, dim));
    // With fewer pictures than features some eigenvalues are zero in theory, and roots of rounding add up: the README's
    // 1e-5.
    const relative = Math.min(a.length, b.length) > dim * dim ? 1e-6 : 1e-5;
    compare('metrics', `fid.${name} value`, [value], file.floats(`fid.${name}.value`), { relative });
    compare('metrics', `fid.${name} value_sqrtm`, [value], file.floats(`fid.${name}.value_sqrtm`), { relative });
    compare(
      'metrics',
      'fid mean_term',
      [squaredMeanDistance(matrix(a, dim), matrix(b, dim))],
      file.floats(`fid.${name}.mean_term`),
      FLOAT64,
    );
    const scale = Math.abs(file.floats(`fid.${name}.value`)[0]!);
    compare('metrics', `fid.${name} self`, [finish(frechetDistance(a, a, dim))], [0], { absolute: relative * scale });
  });

  it('kid', () => {
    for (const name of file.matching(/^kid\.(\w+)$/)) {
      if (name.endsWith('_feat')) continue;
      const isNull = name === 'null';
      const a = file.floats(isNull ? 'fid.full.feat0' : `fid.${name}.feat0`);
      const b = file.floats(isNull ? 'kid.null_feat' : `fid.${name}.feat1`);
      const { value } = finish(kernelInterval(a, b, widthOf(isNull ? 'kid.null_feat' : `fid.${name}.feat0`)));
      compare('metrics', `kid.${name}`, [value], file.floats(`kid.${name}`), FLOAT64);
    }
  });

  it.each(file.matching(/^is\.splits(\d+)\.all$/))('inception score, %s splits', (count) => {
    const { mean, std, splits } = inceptionScore(file.floats('is.probs'), widthOf('is.probs'), Number(count));
    compare('metrics', 'is.splits', splits, file.floats(`is.splits${count}.all`), FLOAT64);
    compare('metrics', 'is.mean_std', [mean, std], file.floats(`is.splits${count}.mean_std`), FLOAT64);
  });

  it('clip scores', () => {
    const cosines = pairCosines(file.floats('clip.image'), file.floats('clip.text'), widthOf('clip.image'));
    const mean = (values: Float64Array) => values.reduce((a, b) => a + b, 0) / values.length;
    const hessel = cosines.map(hesselScore);
    compare('metrics', 'clip.cos', cosines, file.floats('clip.cos'), FLOAT64);
    compare('metrics', 'clip.mean_cos', [mean(cosines)], file.floats('clip.mean_cos'), FLOAT64);
    compare('metrics', 'clip.hessel_each', hessel, file.floats('clip.hessel_each'), FLOAT64);
    compare('metrics', 'clip.hessel', [mean(hessel)], file.floats('clip.hessel'), FLOAT64);
  });
});
