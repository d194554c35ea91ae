/** The plateau schedule by hand: warm-up, patience, cooldown, and the floor. */
import { describe, expect, it } from 'vitest';
import { initialPlateau, nextPlateau, type PlateauSettings, type PlateauState } from './plateau.ts';

const settings: PlateauSettings = {
  warmupRate: 1,
  warmupSteps: 4,
  minRate: 0.2,
  factor: 0.5,
  patience: 1,
  cooldown: 1,
  mode: 'max',
  threshold: 0.1,
  thresholdMode: 'abs',
  smallestChange: 1e-8,
};

function walk(changes: Partial<PlateauSettings>, metrics: readonly (number | undefined)[]): PlateauState[] {
  const states = [initialPlateau()];
  for (const metric of metrics) states.push(nextPlateau({ ...settings, ...changes }, states.at(-1)!, metric));
  return states;
}

const rates = (states: readonly PlateauState[]) => states.map(({ rate }) => rate);

describe('nextPlateau', () => {
  it('starts at 0, climbs by equal steps, and at once to the floor', () => {
    expect(rates(walk({}, [undefined, undefined, undefined, undefined, undefined]))).toEqual([
      0, 0.25, 0.5, 0.75, 1, 1,
    ]);
    expect(rates(walk({ minRate: 0.4 }, [undefined, undefined]))).toEqual([0, 0.4, 0.65]);
  });

  it('stays at 0 for ever without warm-up', () => {
    expect(rates(walk({ warmupSteps: 0, minRate: 0 }, [1, 1, 1, 1, 1]))).toEqual([0, 0, 0, 0, 0, 0]);
  });

  it('ignores metrics while it warms up and steps without a metric afterwards', () => {
    const states = walk({}, [9, 9, 9, 9, 1, undefined, undefined, undefined]);
    expect(states.at(-1)).toEqual({ rate: 1, count: 8, best: 1, bad: 0, cooling: 0 });
  });

  it('falls once patience is over, rests, and not below the floor', () => {
    const flat = Array.from({ length: 12 }, () => 5);
    const states = walk({}, [1, 1, 1, 1, ...flat]).slice(5);
    expect(rates(states)).toEqual([1, 1, 0.5, 0.5, 0.5, 0.25, 0.25, 0.25, 0.2, 0.2, 0.2, 0.2]);
  });

  it.each([
    ['max', 'abs', 10.1, 10.11],
    ['max', 'rel', 11, 11.01],
    ['min', 'abs', 9.9, 9.89],
    ['min', 'rel', 9, 8.99],
  ] as const)('%s %s: %d is no improvement on 10, %d is', (mode, thresholdMode, same, better) => {
    const outcome = (metric: number) => walk({ mode, thresholdMode, warmupSteps: 0 }, [10, metric]).at(-1)!;
    expect(outcome(same)).toMatchObject({ best: 10, bad: 1 });
    expect(outcome(better)).toMatchObject({ best: better, bad: 0 });
  });
});
