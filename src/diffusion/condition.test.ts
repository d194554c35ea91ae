/** Pseudo text embeddings and condition dropout against the reference. */
import { describe, expect, it } from 'vitest';
import { fixture, fixturesPresent } from '../../test/support/fixtures.ts';
import { normals } from '../random/noise.ts';
import { dropCondition, pseudoText } from './condition.ts';

describe.skipIf(!fixturesPresent)('the sampling fixture', () => {
  const file = fixturesPresent ? fixture('sampling') : undefined;
  const settings = (file?.names ?? []).filter((name) => /^lafite\.alpha.*\.norm1$/.test(name));

  it.each(settings)('%s', (name) => {
    const alpha = Number(/alpha([\d.]+)\.norm1/.exec(name)![1]);
    const { shape } = file!.tensor('lafite.f');
    expectClose(
      pseudoText(file!.floats('lafite.f'), file!.floats('lafite.noise'), alpha, shape[1]!),
      file!.floats(name),
    );
  });

  it('has at least one noise level', () => expect(settings.length).toBeGreaterThan(0));

  it('cfdrop', () => {
    const condition = Float32Array.from(file!.floats('cfdrop.cond'));
    const dropped = file!.ints('cfdrop.mask');
    expect(new Set(dropped)).toEqual(new Set([0, 1]));
    expectClose(dropCondition(condition, file!.floats('cfdrop.empty_text_embed'), dropped), file!.floats('cfdrop.out'));
  });
});

describe('pseudoText', () => {
  it('turns a unit vector by at most asin(alpha), whatever the noise', () => {
    const dim = 64;
    const feature = new Float32Array(dim);
    feature[5] = 1;
    for (let sample = 0; sample < 50; sample++) {
      const noise = normals({ seed: 3, stream: 'test', step: 0 }, sample, dim);
      const h = pseudoText(feature, noise, 0.5, dim);
      expect(Math.hypot(...h)).toBeCloseTo(1, 6);
      expect(h[5]).toBeGreaterThanOrEqual(Math.sqrt(1 - 0.25) - 1e-6);
    }
  });

  it('refuses noise of another shape', () => {
    expect(() => pseudoText([1, 0], [1, 0, 0], 0.5, 2)).toThrow(RangeError);
    expect(() => dropCondition(Float32Array.of(1, 0, 0), [1, 0], [1])).toThrow(RangeError);
  });
});

function expectClose(actual: ArrayLike<number>, expected: ArrayLike<number>): void {
  expect(actual.length).toBe(expected.length);
  for (let i = 0; i < actual.length; i++) expect(Math.abs(actual[i]! - expected[i]!)).toBeLessThan(1e-6);
}
