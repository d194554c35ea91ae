/** The learning rate's two regimes, what steers them, and that a restored one goes on as if nothing had happened. */
import { describe, expect, it } from 'vitest';
import { initialPlateau, nextPlateau } from '../optim/plateau.ts';
import { warmupCosine } from '../optim/schedule.ts';
import { makeRecipe } from '../recipe/recipe.ts';
import type { DiffusionSettings } from '../recipe/schema.ts';
import { LearningRate, plateauSettings } from './learning-rate.ts';

const settings = (changes: Partial<DiffusionSettings>): DiffusionSettings => ({
  ...makeRecipe('nano').diffusion,
  schedule: 'plateau',
  learningRate: 1,
  warmupSteps: 4,
  minLearningRate: 0.01,
  plateauPatience: 1,
  plateauThreshold: 0.1,
  validateEvery: 3,
  ...changes,
});

/** Losses that fall, stall and fall again. */
const losses = [9, 8, 7, 6, 5, 4, 4, 4, 4, 3.9, 3, 3, 3, 3, 3, 3];

async function rates(rate: LearningRate, from = 0, to = losses.length): Promise<number[]> {
  const seen: number[] = [];
  for (let step = from; step < to; step++) {
    seen.push(rate.at(step));
    await rate.after(step, losses[step]!);
  }
  return seen;
}

describe('LearningRate', () => {
  it('is the cosine, with nothing to remember', async () => {
    const cosine = settings({ schedule: 'cosine', steps: 16 });
    const rate = new LearningRate(cosine, undefined);
    expect(await rates(rate)).toEqual(losses.map((_, step) => warmupCosine(cosine, step)));
    expect(rate.save()).toEqual({});
  });

  it('takes every loss as a signal', async () => {
    const onLoss = settings({ plateauSignal: 'loss' });
    let state = initialPlateau();
    const expected = losses.map((loss) => {
      const { rate } = state;
      state = nextPlateau(plateauSettings(onLoss), state, loss);
      return rate;
    });
    expect(await rates(new LearningRate(onLoss, undefined))).toEqual(expected);
    expect(expected[0]).toBe(0);
    expect(expected.at(-1)).toBeLessThan(Math.max(...expected) / 2);
  });

  it('warms up by steps and falls by scores, one every validateEvery steps', async () => {
    const scores = [0.1, 0.2, 0.35, 0.35, 0.35];
    let validations = 0;
    const onScore = settings({ plateauSignal: 'clip-score' });
    const rate = new LearningRate(onScore, async () => scores[validations++]!);
    const reported = [];
    const seen: number[] = [];
    for (let step = 0; step < 15; step++) {
      seen.push(rate.at(step));
      reported.push((await rate.after(step, 5)).clipScore);
    }
    expect(reported).toEqual(scores.flatMap((score) => [undefined, undefined, score]));
    // Validations count as steps of the warm-up, as officially, so it is over after step 2 and one validation.
    expect(seen.slice(0, 3)).toEqual([0, 0.25, 0.5]);
    expect(seen.slice(3, 15)).toEqual(Array(12).fill(1));
    expect(rate.at(15)).toBe(0.5);
  });

  it.each([
    ['loss', 3],
    ['loss', 11],
    ['clip-score', 7],
  ] as const)('goes on exactly from what was saved: %s, step %d', async (plateauSignal, at) => {
    // The score depends on the step alone, as a model's depends on its weights.
    const make = () => {
      let step = 0;
      const rate = new LearningRate(settings({ plateauSignal }), async () => 1 / (1 + Math.floor(step / 6)));
      return {
        rate,
        walk: async (from: number, to: number) => {
          const seen: number[] = [];
          for (step = from; step < to; step++) seen.push(...(await rates(rate, step, step + 1)));
          return seen;
        },
      };
    };
    const whole = await make().walk(0, losses.length);
    const [first, second] = [make(), make()];
    const before = await first.walk(0, at);
    second.rate.restore(first.rate.save());
    expect([...before, ...(await second.walk(at, losses.length))]).toEqual(whole);
  });

  it('refuses to be steered by a score that nothing measures', () => {
    expect(() => new LearningRate(settings({ plateauSignal: 'clip-score' }), undefined)).toThrow(/CLIP score/);
  });
});
