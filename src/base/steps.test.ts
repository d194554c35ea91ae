import { expect, it } from 'vitest';
import { finish, inTurns, type Steps } from './steps.ts';

function* sum(values: readonly number[], wait = 0): Steps<number> {
  let total = 0;
  for (const value of values) {
    total += value;
    const start = performance.now();
    while (performance.now() - start < wait);
    yield value;
  }
  return total;
}

it('a computation in steps gives the same with and without pauses, and its whole cost', async () => {
  let cost = 0;
  const carry = inTurns((more) => {
    cost += more;
  });
  expect(await carry(sum([1, 2, 3]))).toBe(finish(sum([1, 2, 3])));
  expect(cost).toBe(6);
});

it('timers run between the steps of a computation, and one of them can end it', async () => {
  const controller = new AbortController();
  setTimeout(() => controller.abort(new Error('enough')));
  const endless = sum(Array<number>(1e6).fill(1), 20);
  await expect(inTurns(() => controller.signal.throwIfAborted())(endless)).rejects.toThrow('enough');
});
