/**
 * Convolution of stride 2 by patches against the definition: the plain primitive, for values and both gradients, on
 * grids of any even side.
 */

import { afterAll, expect, it } from 'vitest';
import { againstDefinition } from '../../test/support/convolutions.ts';
import { startKeepingEngine } from '../../test/support/keeping-engine.ts';
import { conv3x3Stride2 } from './patches.ts';

const engine = startKeepingEngine();
afterAll(() => engine.close());

it.each([2, 4, 6, 10])('agrees with the definition at side %i', async (side) => {
  const worst = await againstDefinition(engine, conv3x3Stride2, { side, stride: 2, pads: [0, 0, 1, 1] });
  for (const [part, error] of Object.entries(worst)) expect(error, part).toBeLessThan(1e-6);
});
