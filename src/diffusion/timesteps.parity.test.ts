/** Importance-sampled times against the reference's probabilities and history updates. */
import { expect, it } from 'vitest';
import * as z from 'zod';
import { onFixture, onJsonFixture } from '../../test/support/fixtures.ts';
import { compare, EXACT } from '../../test/support/parity.ts';
import { probabilities, type TimestepState, updateHistory } from './timesteps.ts';

const sampleTime = z.array(
  z.object({
    T: z.number(),
    importance: z.boolean(),
    Lt_history: z.array(z.number()),
    Lt_count: z.array(z.number()),
    pt_all: z.array(z.number()),
  }),
);

onJsonFixture('sample_time', (value) => {
  it('gives the same probabilities, uniform ones included', () => {
    const cases = sampleTime.parse(value);
    expect(cases.length).toBeGreaterThan(0);
    for (const { Lt_history, Lt_count, pt_all } of cases) {
      compare('sample_time', 'pt_all', probabilities(stateOf(Lt_history, Lt_count)), pt_all, { relative: 1e-5 });
    }
  });
});

onFixture('diffusion', (file) => {
  it.each(file.matching(/^(\w+)\.Lt_history_in$/))('updates the history of case %s', (name) => {
    const before = stateOf(file.floats(`${name}.Lt_history_in`), file.floats(`${name}.Lt_count_in`));
    const after = updateHistory(before, file.ints(`${name}.t`), file.floats(`${name}.kl_loss`));
    compare('diffusion', 'Lt_history_out', after.history, file.floats(`${name}.Lt_history_out`), { relative: 1e-6 });
    compare('diffusion', 'Lt_count_out', after.count, file.floats(`${name}.Lt_count_out`), EXACT);
  });
});

function stateOf(history: ArrayLike<number>, count: ArrayLike<number>): TimestepState {
  return { history: Float64Array.from(history), count: Float64Array.from(count) };
}
