/** The temperature schedules of the paper, as the reference computes them. */

import { it } from 'vitest';
import { onJsonFixture } from '../../test/support/fixtures.ts';
import { compare } from '../../test/support/parity.ts';
import { temperatureAt } from './schedule.ts';

interface Scheduled {
  config: { warm_up_steps: number; lr_min: number; lr_max: number; max_decay_steps: number };
  steps: [number, number][];
}

onJsonFixture('optim', (value) => {
  it('follows the temperatures', () => {
    const { temperature } = value as { temperature: Scheduled[] };
    // The scheduler can also warm up, which no published temperature does.
    for (const { config, steps } of temperature.filter(({ config }) => config.warm_up_steps === 0)) {
      const settings = {
        steps: config.max_decay_steps,
        autoencoderFraction: 0,
        hardAfter: 0,
        temperatureStart: config.lr_max,
        temperatureEnd: config.lr_min,
      };
      const got = steps.map(([step]) => temperatureAt(settings, step));
      const expected = steps.map(([, temperature]) => temperature);
      compare('optim', 'temperature', got, expected, { relative: 1e-12 });
    }
  });
});
