import { expect, it } from 'vitest';
import * as g from '../graph/index.ts';
import { firstModel } from './first-model.ts';

it('is what the graph writes for y = exp(x)', () => {
  const program = g.trace({ x: g.f32() }, ({ x }) => ({ y: g.exp(x) }));
  expect(Buffer.from(firstModel)).toEqual(Buffer.from(g.writeOnnx(program)));
});
