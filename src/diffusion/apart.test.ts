import { expect, it } from 'vitest';
import { localRanks } from '../../test/support/local-ranks.ts';
import { ApartSteps } from './apart.ts';
import { initialTimesteps, updateHistory } from './timesteps.ts';

it('the history after steps that ranks have made apart is that of whole batches', async () => {
  const steps = [
    { all: Int32Array.of(0, 1, 2, 1), kl: Float32Array.of(1, 2, 3, 4) },
    { all: Int32Array.of(3, 3, 0, 2), kl: Float32Array.of(5, 6, 7, 8) },
  ];
  const whole = steps.reduce((times, { all, kl }) => updateHistory(times, all, kl), initialTimesteps(4));
  const histories = await Promise.all(
    localRanks(2).map(async (ranks) => {
      const apart = new ApartSteps(ranks, 2);
      for (const { all, kl } of steps) apart.add(all, kl.slice(2 * ranks.rank, 2 * ranks.rank + 2));
      return apart.joined(initialTimesteps(4));
    }),
  );
  expect(histories).toEqual([whole, whole]);
});
