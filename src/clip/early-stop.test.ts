/** A CLIP stops when its held-out pairs have had enough, with the best weights, also over a resume. */

import { expect, it } from 'vitest';
import { float32, type NDArray, scalar } from '../base/ndarray.ts';
import { trainBpe } from '../embedding/compact/bpe.ts';
import { EarlyStop } from './early-stop.ts';

const pairs = { size: 20, side: 4, images: new Uint8Array(20 * 48), caption: (row: number) => `picture ${row}` };
const bpe = trainBpe(['picture 1'], 300);
const options = { pairs, count: 10, bpe, length: 6, captions: 2, steps: 20, patience: 2 };

/** Measures these losses, the weights being the number of the measurement. */
async function measure(stop: EarlyStop, losses: readonly number[], first = 1): Promise<number[]> {
  const ended: number[] = [];
  for (const [i, loss] of losses.entries()) {
    const step = first + i;
    const program = { run: async () => ({ loss: scalar(loss) }) };
    const engine = { read: async (): Promise<{ text: NDArray }> => ({ text: float32([step], [1]) }) };
    await stop.measure(step, program, engine);
    if (stop.note(step) !== undefined) ended.push(step);
  }
  return ended;
}

it('stops after so many measurements without a lower loss, and keeps the weights of the lowest', async () => {
  const stop = new EarlyStop(options);
  expect(await measure(stop, [3, 2, 2.5, 1.5, 1.6])).toEqual([]);
  expect(await measure(stop, [1.7], 6)).toEqual([6]);
  expect(stop.note(6)).toMatch(/now 1\.70, has not fallen below 1\.50 for 2 measurements: .* stops at step 6 of 20/);
  expect(stop.bestWeights?.text?.data[0]).toBe(4);
  expect(stop.metrics).toEqual({ heldOutLoss: expect.closeTo(1.7) });
});

it('decides the same after a resume', async () => {
  const [whole, first, second] = [new EarlyStop(options), new EarlyStop(options), new EarlyStop(options)];
  const losses = [3, 2, 2.5, 2.4];
  expect(await measure(whole, losses)).toEqual([4]);
  await measure(first, losses.slice(0, 3));
  second.restore(first.hostState());
  expect(await measure(second, losses.slice(3), 4)).toEqual([4]);
  expect(second.hostState()).toEqual(whole.hostState());
});

it('does not measure where it is not wanted, nor between its times', async () => {
  expect(new EarlyStop({ ...options, patience: 0 }).isOn).toBe(false);
  expect(new EarlyStop({ ...options, count: 15 }).isOn).toBe(false);
  const stop = new EarlyStop({ ...options, steps: 40 });
  await measure(stop, [1], 3);
  expect([stop.metrics, stop.hostState()]).toEqual([{}, {}]);
});
