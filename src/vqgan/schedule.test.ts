/** Phases and temperature of the tokenizer's run. */

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Phase, phaseAt, phasesOf, temperatureAt } from './schedule.ts';

describe('phases', () => {
  const settings = fc.record({
    steps: fc.integer({ min: 1, max: 60 }),
    autoencoderFraction: fc.double({ min: 0, max: 1, noNaN: true }),
    hardAfter: fc.double({ min: 0, max: 1, noNaN: true }),
    temperatureStart: fc.constant(0.9),
    temperatureEnd: fc.constant(0.05),
  });

  it('come in order, and are all foreseen', () => {
    const order: readonly Phase[] = ['autoencoder', 'soft', 'hard'];
    fc.assert(
      fc.property(settings, (s) => {
        const met = Array.from({ length: s.steps }, (_, step) => phaseAt(s, step));
        expect(phasesOf(s)).toEqual([...new Set(met)]);
        for (let i = 1; i < met.length; i++)
          expect(order.indexOf(met[i]!)).toBeGreaterThanOrEqual(order.indexOf(met[i - 1]!));
      }),
    );
  });

  it('start at the first temperature where codes begin and never warm up again', () => {
    fc.assert(
      fc.property(settings, (s) => {
        const temperatures = Array.from({ length: s.steps }, (_, step) => temperatureAt(s, step));
        expect(temperatures[0]).toBeCloseTo(0.9, 12);
        for (let i = 1; i < temperatures.length; i++)
          expect(temperatures[i]!).toBeLessThanOrEqual(temperatures[i - 1]!);
        expect(temperatures.at(-1)!).toBeGreaterThanOrEqual(0.05);
      }),
    );
  });
});
