/** Steps that are run for an estimate. */

import { expect, it } from 'vitest';
import { shareEngines } from '../../test/support/keeping-engine.ts';
import { tinyStages } from '../../test/support/tiny-stages.ts';
import { makeRecipe } from '../recipe/recipe.ts';
import { estimateTraining } from './estimate.ts';
import { measureSteps } from './measured.ts';

shareEngines();
const names = ['clip', 'tokenizer', 'diffusion'] as const;

it('measures the steps of small stages, and an estimate goes by them', async () => {
  const measured = await measureSteps(tinyStages, names, 12, 1, { threads: 1 });
  expect(Object.keys(measured)).toEqual([...names]);
  const { stages, seconds, range } = estimateTraining(tinyStages, {
    stages: names,
    speed: 1,
    conditionDim: 12,
    measured,
  });
  for (const { stage, secondsPerStep, isMeasured } of stages) {
    expect(isMeasured).toBe(true);
    expect(secondsPerStep).toBe(measured[stage]);
  }
  expect([range[0] / seconds, range[1] / seconds]).toEqual([expect.closeTo(0.85), expect.closeTo(1.3)]);
});

it('runs nothing that would take long, and leaves it projected', async () => {
  // A few of its layers: all of them would take seconds to trace.
  const paper = makeRecipe('ffhq-256', { 'diffusion.layers': '4' });
  expect(await measureSteps(paper, ['diffusion'], 512, 1, { threads: 1 })).toEqual({});
  const { stages, seconds, range } = estimateTraining(paper, { stages: ['diffusion'], speed: 1, conditionDim: 512 });
  expect(stages[0]?.isMeasured).toBe(false);
  expect(range[1] / seconds).toBeCloseTo(1.6);
});
