import { expect, it } from 'vitest';
import { type Reporting, reportsOf } from './reports.ts';

/** Counts up to a number and records what happens. */
function counting(log: string[], until: number): Reporting<number> {
  return async (report, signal) => {
    for (let i = 1; i <= until; i++) {
      signal.throwIfAborted();
      log.push(`made ${i}`);
      await report(i);
    }
    log.push('end');
  };
}

it('a task makes a value when it is wanted, and not before', async () => {
  const log: string[] = [];
  for await (const value of reportsOf(counting(log, 3))) log.push(`took ${value}`);
  expect(log).toEqual(['made 1', 'took 1', 'made 2', 'took 2', 'made 3', 'took 3', 'end']);
});

it('leaving early aborts the task and waits for its end', async () => {
  const log: string[] = [];
  const task: Reporting<number> = (report, signal) =>
    counting(log, 9)(report, signal).finally(async () => {
      await new Promise((resolve) => setTimeout(resolve));
      log.push('cleared up');
    });
  for await (const value of reportsOf(task)) if (value === 2) break;
  expect(log).toEqual(['made 1', 'made 2', 'cleared up']);
});

it('a failure is thrown after the values that came before it', async () => {
  const values: number[] = [];
  const failing: Reporting<number> = async (report) => {
    await report(1);
    throw new Error('no power');
  };
  const taking = async () => {
    for await (const value of reportsOf(failing)) values.push(value);
  };
  await expect(taking()).rejects.toThrow('no power');
  expect(values).toEqual([1]);
  await expect(reportsOf(() => Promise.reject(new Error('at once'))).next()).rejects.toThrow('at once');
});
