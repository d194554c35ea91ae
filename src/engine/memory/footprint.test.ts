/** What programs need together: arenas of phases that follow each other, beside those that are always there. */

import { expect, it } from 'vitest';
import * as g from '../../graph/index.ts';
import type { CompileOptions } from '../engine.ts';
import { plannedFootprint } from './footprint.ts';

/** A program with an intermediate value of so many numbers. */
const needing = (numbers: number, options: CompileOptions) => ({
  name: `${numbers}`,
  write: () => g.trace({ x: g.f32(numbers) }, ({ x }) => ({ y: g.sum(g.exp(x)) })),
  ...options,
});

it('counts of phases the one that needs most, and what has no phase with it', () => {
  const [always, first, second] = [1000, 200, 300].map((n) => 4 * n) as [number, number, number];
  const activations = (...programs: Parameters<typeof plannedFootprint>[0]) => plannedFootprint(programs).activations;
  expect(activations(needing(1000, {}))).toBe(always);
  expect(activations(needing(200, {}), needing(300, {}))).toBe(first + second);
  expect(activations(needing(200, { phase: 'a' }), needing(300, { phase: 'b' }))).toBe(second);
  expect(activations(needing(200, { phase: 'a' }), needing(300, { phase: 'a' }))).toBe(first + second);
  expect(activations(needing(1000, {}), needing(200, { phase: 'a' }), needing(300, { phase: 'b' }))).toBe(
    always + second,
  );
  expect(activations(needing(200, { phase: 'a' }), needing(300, { phase: 'b', arena: false }))).toBe(first + second);
});
