/** Convolution by patches against the definition: the plain primitive, for values and both gradients, on grids of any side. */

import { afterAll, expect, it } from 'vitest';
import { againstDefinition } from '../../test/support/convolutions.ts';
import { Engine } from '../runtime/engine.ts';
import { conv3x3Patches } from './patches.ts';

const engine = Engine.start({ threads: 1 });
afterAll(() => engine.close());

it.each([1, 2, 3, 5, 8])('side %i', async (side) => {
  const worst = await againstDefinition(engine, conv3x3Patches, { side, pads: 1 });
  for (const [part, error] of Object.entries(worst)) expect(error, part).toBeLessThan(1e-6);
});

it.each([2, 4, 10])('half of side %i', async (side) => {
  const halving = (taps: Parameters<typeof conv3x3Patches>[0], x: typeof taps) => conv3x3Patches(taps, x, 2);
  const worst = await againstDefinition(engine, halving, { side, stride: 2, pads: [0, 0, 1, 1] });
  for (const [part, error] of Object.entries(worst)) expect(error, part).toBeLessThan(1e-6);
});
