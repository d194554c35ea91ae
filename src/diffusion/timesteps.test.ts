/** Importance-sampled times: when they begin, what is drawn, and what is remembered. */
import { describe, expect, it } from 'vitest';
import { chiSquareZ } from '../../test/support/chi-square.ts';
import { NotFinite } from '../checkpoint/finite.ts';
import { uniforms } from '../random/noise.ts';
import {
  drawTimesteps,
  initialTimesteps,
  probabilities,
  restoredTimesteps,
  savedTimesteps,
  type TimestepState,
  updateHistory,
} from './timesteps.ts';

describe('timesteps', () => {
  it('starts uniform and stays so until every time has more than ten samples', () => {
    const fresh = initialTimesteps(4);
    expect([...probabilities(fresh)]).toEqual([0.25, 0.25, 0.25, 0.25]);
    const history = [9, 1, 4, 16];
    expect([...probabilities(stateOf(history, [11, 11, 10, 11]))]).toEqual([0.25, 0.25, 0.25, 0.25]);
    const p = probabilities(stateOf(history, [11, 11, 11, 11]));
    [1, 1, 2, 4].forEach((weight, t) => {
      expect(p[t]).toBeCloseTo(weight / 8, 3);
    });
  });

  it('comes back from a checkpoint as it was, and not where it holds no numbers or negative ones', () => {
    const state = stateOf([9, 1], [3, 0]);
    expect(restoredTimesteps(savedTimesteps(state))).toEqual(state);
    for (const broken of [stateOf([9, Number.NaN], [3, 0]), stateOf([9, 1], [3, Infinity]), stateOf([-9, 1], [3, 0])])
      expect(() => restoredTimesteps(savedTimesteps(broken))).toThrow(NotFinite);
  });

  it('draws by inverse CDF and reports the probability of what it drew', () => {
    const state = stateOf([0, 1, 4, 16], [11, 11, 11, 11]);
    const p = probabilities(state);
    const { t, pt } = drawTimesteps(state, [0, p[0]! - 1e-9, p[0]! + 1e-9, 1 - 1e-9]);
    expect([...t]).toEqual([0, 0, 1, 3]);
    expect([...pt]).toEqual([p[0], p[0], p[1], p[3]]);
  });

  it('draws times as often as their probabilities say', () => {
    const state = stateOf([5, 1, 4, 16, 0.3, 90], new Array(6).fill(20));
    const { t } = drawTimesteps(state, uniforms({ seed: 5, stream: 'test', step: 0 }, 0, 20_000));
    const counts = new Float64Array(6);
    for (const time of t) counts[time] = counts[time]! + 1;
    expect(chiSquareZ(counts, probabilities(state))).toBeLessThan(4.5);
  });

  it('lets the last of repeated times win, each from the old value, and leaves its argument alone', () => {
    const before = stateOf([10, 20], [0, 3]);
    const after = updateHistory(before, [1, 0, 1], [100, 2, 3]);
    expect(after.history[0]).toBeCloseTo(0.9 * 10 + 0.1 * 4, 12);
    expect(after.history[1]).toBeCloseTo(0.9 * 20 + 0.1 * 9, 12);
    expect([...after.count]).toEqual([1, 5]);
    expect([...before.history, ...before.count]).toEqual([10, 20, 0, 3]);
  });
});

function stateOf(history: ArrayLike<number>, count: ArrayLike<number>): TimestepState {
  return { history: Float64Array.from(history), count: Float64Array.from(count) };
}
