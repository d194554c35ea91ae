/** Phases, temperature and terms of the loss in the tokenizer's run. */

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  type DiscriminatorPhase,
  discriminatorPhaseAt,
  firstQuantizedStep,
  klWeightAt,
  type Phase,
  temperatureAt,
  variantAt,
  variantsOf,
} from './schedule.ts';

const fraction = fc.double({ min: 0, max: 1, noNaN: true });
const settings = fc.record({
  steps: fc.integer({ min: 1, max: 60 }),
  autoencoderFraction: fraction,
  hardAfter: fraction,
  temperatureStart: fc.constant(0.9),
  temperatureEnd: fc.constant(0.05),
  klWeight: fc.constant(5e-4),
  klWarmup: fraction,
  perceptualWeight: fc.constantFrom(0, 1),
  perceptualAfter: fraction,
  discriminatorWeight: fc.constantFrom(0, 0.8),
  discriminatorStart: fraction,
  discriminatorWarmup: fraction,
});
const stepsOf = ({ steps }: { steps: number }) => Array.from({ length: steps }, (_, step) => step);

describe('variants', () => {
  it('come in order, and are all foreseen', () => {
    const phases: readonly Phase[] = ['autoencoder', 'soft', 'hard'];
    const discriminatorPhases: readonly DiscriminatorPhase[] = ['off', 'warmup', 'active'];
    fc.assert(
      fc.property(settings, (s) => {
        const met = stepsOf(s).map((step) => variantAt(s, step));
        const distinct = met.filter((v, i) => i === 0 || JSON.stringify(v) !== JSON.stringify(met[i - 1]));
        expect(variantsOf(s)).toEqual(distinct);
        for (let i = 1; i < met.length; i++) {
          expect(phases.indexOf(met[i]!.phase)).toBeGreaterThanOrEqual(phases.indexOf(met[i - 1]!.phase));
          expect(discriminatorPhases.indexOf(met[i]!.discriminator)).toBeGreaterThanOrEqual(
            discriminatorPhases.indexOf(met[i - 1]!.discriminator),
          );
          expect(Number(met[i]!.perceptual)).toBeGreaterThanOrEqual(Number(met[i - 1]!.perceptual));
        }
        if (s.discriminatorWeight === 0) expect(met.every(({ discriminator }) => discriminator === 'off')).toBe(true);
        if (s.perceptualWeight === 0) expect(met.some(({ perceptual }) => perceptual)).toBe(false);
      }),
    );
  });

  it('go by the share of the run, however long it is', () => {
    const shares = { discriminatorWeight: 0.8, discriminatorStart: 0.5, discriminatorWarmup: 0.2 };
    for (const steps of [10, 1000]) {
      const counts = { off: 0, warmup: 0, active: 0 };
      for (let step = 0; step < steps; step++) counts[discriminatorPhaseAt({ ...shares, steps }, step)]++;
      expect(counts).toEqual({ off: 0.3 * steps, warmup: 0.2 * steps, active: 0.5 * steps });
    }
  });
});

describe('temperature', () => {
  it('starts where codes begin and never rises', () => {
    fc.assert(
      fc.property(settings, (s) => {
        const temperatures = stepsOf(s).map((step) => temperatureAt(s, step));
        expect(temperatures[0]).toBeCloseTo(0.9, 12);
        for (let i = 1; i < temperatures.length; i++)
          expect(temperatures[i]!).toBeLessThanOrEqual(temperatures[i - 1]!);
        expect(temperatures.at(-1)!).toBeGreaterThanOrEqual(0.05);
      }),
    );
  });
});

describe('KL weight', () => {
  it('rises from nothing where codes begin, and stays', () => {
    fc.assert(
      fc.property(settings, (s) => {
        const weights = stepsOf(s).map((step) => klWeightAt(s, step));
        const first = firstQuantizedStep(s);
        for (let i = 1; i < weights.length; i++) expect(weights[i]!).toBeGreaterThanOrEqual(weights[i - 1]!);
        if (first < s.steps) expect(weights[first]).toBe(s.klWarmup === 0 ? s.klWeight : 0);
        for (const weight of weights) expect(weight).toBeLessThanOrEqual(s.klWeight);
      }),
    );
    const half = { steps: 100, autoencoderFraction: 0.2, hardAfter: 1, klWeight: 8, klWarmup: 0.5 };
    expect([20, 40, 60, 99].map((step) => klWeightAt(half, step))).toEqual([0, 4, 8, 8]);
  });
});
