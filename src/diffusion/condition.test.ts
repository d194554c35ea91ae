/** Pseudo text embeddings stay near their feature; shapes that do not match are refused. */
import { describe, expect, it } from 'vitest';
import { normals } from '../random/noise.ts';
import { pseudoText } from './condition.ts';

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
  });
});
