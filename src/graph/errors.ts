/**
 * Errors found while tracing: they name the primitive, the shapes, and the line of the caller's code that combined
 * them.
 */

import type { Spec } from './tensor.ts';

/** Thrown while tracing: a primitive with the shapes of its operands, and the caller's line. */
export class ShapeError extends Error {
  override readonly name = 'ShapeError';

  constructor(op: string, operands: readonly Spec[], reason: string) {
    const shapes = operands
      .map((t) => `[${t.shape.join(', ')}]${t.dtype === 'float32' ? '' : ` ${t.dtype}`}`)
      .join(' and ');
    const site = callSite(new Error().stack ?? '');
    super(`${op} of ${shapes || 'nothing'}: ${reason}${site ? ` (at ${site})` : ''}`);
  }
}

/** This folder, read off a stack: bundlers take `new URL('.', import.meta.url)` for a file that they should add. */
const here = placesOf(new Error().stack ?? '')[0]?.replace(/[^/\\]*$/, '');

/** The innermost stack frame outside this folder: the line of the caller that built the graph. */
function callSite(stack: string): string | undefined {
  return placesOf(stack).find((place) => {
    const isOwn = here !== undefined && place.startsWith(here) && !/\.test\.ts:/.test(place);
    return !isOwn && !place.startsWith('node:');
  });
}

/** The places (file, line and column) that a stack names, innermost first. */
function placesOf(stack: string): string[] {
  return stack.split('\n').flatMap((line) => {
    const place = /\(?((?:file:\/\/)?[^\s()]+:\d+:\d+)\)?$/.exec(line.trim())?.[1];
    return place === undefined ? [] : [place.replace('file://', '')];
  });
}
