import { setTimeout as after } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { Budget, mapConcurrently } from './concurrency.ts';

it('never lets jobs take more together than there is, and lets the largest run alone', async () => {
  const budget = new Budget(10);
  const costs = [4, 7, 3, 50, 1, 1, 9, 0, 10];
  let taken = 0;
  let most = 0;
  const order: number[] = [];
  await mapConcurrently(
    costs.length,
    undefined,
    (i) =>
      budget.use(costs[i]!, async () => {
        const share = Math.min(10, costs[i]!);
        taken += share;
        most = Math.max(most, taken);
        order.push(i);
        await after(1);
        taken -= share;
      }),
    costs.length,
  );
  expect(most).toBeLessThanOrEqual(10);
  expect(order).toEqual([...costs.keys()]);
});

it('gives back what a job took that failed', async () => {
  const budget = new Budget(1);
  const failed = budget.use(1, () => Promise.reject(new Error('no')));
  await expect(failed).rejects.toThrow('no');
  expect(await budget.use(1, async () => 'runs')).toBe('runs');
});
