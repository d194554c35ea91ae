/** The line of a training step. */

import { expect, it } from 'vitest';
import { stepLine } from './progress.ts';

it('steps, rate and time left come first and fit into 60 columns, however long the stage', () => {
  const line = stepLine(
    {
      ...{ stage: 'finetune', step: 4_374_999, steps: 4_375_000, metrics: { loss: 1 }, rate: 0.0123 },
      ...{ secondsLeft: 99 * 3600 + 1800, waiting: 0.25 },
    },
    { loss: 1.2345, gradientNorm: 0.5 },
  );
  const [head] = line.split('  loss');
  expect(head).toMatch(/^finetune {2}4374999\/4375000 {2}0\.0123 steps\/s {2}99 h 30 min left$/);
  expect(head!.length).toBeLessThanOrEqual(60);
  expect(line.slice(head!.length)).toBe('  loss 1.23  |g| 0.500  waits for pictures 25 %');
});
