/** Estimates against what is known of the paper's model, and how they change with what they depend on. */
import { describe, expect, it } from 'vitest';
import { makeRecipe } from '../recipe.ts';
import { estimateTraining } from './estimate.ts';

const estimate = (preset: string, changes: Record<string, string> = {}, speed = 1) =>
  estimateTraining(makeRecipe(preset, changes), { stages: ['diffusion'], speed, conditionDim: 512 });

describe('estimateTraining', () => {
  it('knows the paper: 515 M parameters; a step is three passes, with less than the 249 GFLOP of the definition each', () => {
    const { stages } = estimate('ffhq-256', { 'diffusion.batch': '16' });
    const [diffusion] = stages;
    expect(diffusion!.parameters / 1e6).toBeCloseTo(515.2, 1);
    const perPicture = diffusion!.gflopPerStep / 16;
    expect(perPicture).toBeLessThan(3 * 249);
    // Winograd saves three quarters of the convolutions at most; they are 232 of the 249.
    expect(perPicture).toBeGreaterThan(3 * (249 - 232 * 0.75));
  });

  it('counts each part of the state once in place and twice otherwise', () => {
    const bytes = (updateInPlace: string) =>
      estimate('ffhq-256', { 'diffusion.batch': '1', 'diffusion.updateInPlace': updateInPlace }).memoryGB;
    // Weights, average and two moments twice, against once with gradients beside them; the rest is the same within the graph.
    expect(bytes('false') - bytes('true')).toBeGreaterThan(2.5 * 4 * 0.515);
    expect(bytes('true')).toBeLessThan(20);
  });

  it('is proportional to steps and to the inverse of the speed', () => {
    const seconds = (steps: string, speed: number) => estimate('nano', { 'diffusion.steps': steps }, speed).seconds;
    expect(seconds('200', 1)).toBeCloseTo(2 * seconds('100', 1), 9);
    expect(seconds('100', 0.5)).toBeCloseTo(2 * seconds('100', 1), 9);
  });
});
