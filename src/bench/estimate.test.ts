/** Estimates against what is known of the paper's model, and how they change with what they depend on. */
import { describe, expect, it } from 'vitest';
import { makeRecipe } from '../recipe/recipe.ts';
import { estimateTraining } from './estimate.ts';

const estimate = (preset: string, changes: Record<string, string> = {}, speed = 1) =>
  estimateTraining(makeRecipe(preset, changes), { stages: ['diffusion'], speed, conditionDim: 512 });

/** Fewer nodes to trace, for what does not depend on the network. */
const lean = { 'tokenizer.channelMultipliers': '[1]', 'diffusion.layers': '1' };

describe('estimateTraining', () => {
  /** The paper's model takes seconds to trace. */
  const ofPaper = (batch: number) => estimate('ffhq-256', { 'diffusion.batch': `${batch}` }).stages[0]!;
  const [one, two] = [ofPaper(1), ofPaper(2)];

  it('knows the paper: 515 M parameters; a step is three passes, with less than the 249 GFLOP of the definition each', () => {
    expect(two.parameters / 1e6).toBeCloseTo(515.2, 1);
    const perPicture = two.gflopPerStep / 2;
    expect(perPicture).toBeLessThan(3 * 249);
    // Winograd saves three quarters of the convolutions at most; they are 232 of the 249.
    expect(perPicture).toBeGreaterThan(3 * (249 - 232 * 0.75));
  });

  it('tells state from activations: one belongs to the model, the other to the pictures', () => {
    // Weights, average, two moments and gradients of 515 M parameters.
    expect(one.stateGB).toBeCloseTo(5 * 4 * 0.515, 1);
    expect(two.stateGB).toBe(one.stateGB);
    expect(two.activationsGB).toBeGreaterThan(1.2 * one.activationsGB);
    expect(one.memoryGB).toBeGreaterThan(one.stateGB + one.activationsGB);
  });

  it('plans the micro-batches that a limit of memory takes', () => {
    const options = { stages: ['diffusion'], speed: 1, conditionDim: 512 } as const;
    const recipe = makeRecipe('base', {
      'diffusion.layers': '3',
      'diffusion.batch': '128',
      'diffusion.dim': '384',
      'diffusion.heads': '12',
    });
    const [whole] = estimateTraining(recipe, options).stages;
    const [split] = estimateTraining(recipe, { ...options, memory: 2e9 }).stages;
    expect([whole!.microBatches, whole!.memoryGB > 2]).toEqual([1, true]);
    expect([split!.microBatches > 1, split!.memoryGB <= 2]).toEqual([true, true]);
    expect(estimateTraining(recipe, { ...options, microBatches: 16 }).stages[0]!.microBatches).toBe(16);
  });

  it('is proportional to steps and to the inverse of the speed', () => {
    const seconds = (steps: string, speed: number) =>
      estimate('nano', { ...lean, 'diffusion.steps': steps }, speed).seconds;
    expect(seconds('200', 1)).toBeCloseTo(2 * seconds('100', 1), 9);
    expect(seconds('100', 0.5)).toBeCloseTo(2 * seconds('100', 1), 9);
  });

  it('counts reading and embedding of the pictures, and gives a range', () => {
    const recipe = makeRecipe('nano', { ...lean, 'pictures.views': '2', 'pictures.flip': 'true' });
    const options = { stages: ['diffusion'], speed: 0.5, conditionDim: 512 } as const;
    const without = estimateTraining(recipe, options);
    const of = (count: number, megapixels?: number) =>
      estimateTraining(recipe, { ...options, pictures: { count, megapixels } });
    const [few, many, large] = [of(1000), of(2000), of(1000, 12)];
    expect(without.preparation).toBeUndefined();
    const { readingSeconds, embeddingSeconds } = few.preparation!;
    expect(few.seconds).toBeCloseTo(without.seconds + readingSeconds + embeddingSeconds, 6);
    expect(many.seconds - few.seconds).toBeCloseTo(few.seconds - without.seconds, 6);
    expect(large.preparation!.readingSeconds).toBeGreaterThan(5 * readingSeconds);
    expect(large.preparation!.embeddingSeconds).toBe(embeddingSeconds);
    // A pretrained tower takes about 0.15 s a picture at reference speed; here twice as long, for two views.
    expect(embeddingSeconds / 1000).toBeGreaterThan(0.6);
    // The CLIP of one's own is much smaller.
    const own = estimateTraining(recipe, { ...options, stages: ['clip', 'tokenizer'], pictures: { count: 1000 } });
    expect(own.preparation!.embeddingSeconds).toBeLessThan(embeddingSeconds / 2);
    expect(few.range[0]).toBeLessThan(few.seconds);
    expect(few.range[1]).toBeGreaterThan(few.seconds);
  });
});
