/** Errors found while tracing: they name the primitive, the shapes, and the line of the caller's code that combined them. */

import type { Spec } from './tensor.ts';

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

const here = new URL('.', import.meta.url).pathname;

/** The innermost stack frame outside this folder: the line a user of the graph would want to see. */
function callSite(stack: string): string | undefined {
  for (const line of stack.split('\n').slice(1)) {
    const place = /\(?((?:file:\/\/)?[^\s()]+:\d+:\d+)\)?$/.exec(line.trim())?.[1]?.replace('file://', '');
    const ownFolder = place?.includes(here) && !/\.test\.ts:/.test(place);
    if (place && !ownFolder && !place.startsWith('node:')) return place;
  }
  return undefined;
}
