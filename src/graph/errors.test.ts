/** Shape errors at trace time: they name the op, the shapes, and the line of this file that is at fault. */

import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import * as g from './index.ts';

const thisFile = fileURLToPath(import.meta.url);
const source = readFileSync(thisFile, 'utf8').split('\n');

function messageFrom(fn: () => unknown): string {
  try {
    fn();
  } catch (error) {
    expect(error).toBeInstanceOf(g.ShapeError);
    return (error as g.ShapeError).message;
  }
  throw new Error('nothing was thrown');
}

/** The text of the line of this file that a message blames. */
function blamed(message: string): string {
  const [, file, line] = /\(at (.*):(\d+):\d+\)$/.exec(message) ?? [];
  expect(file).toBe(thisFile);
  return source[Number(line) - 1]!;
}

const x = g.input('x', g.f32(2, 3));
const images = g.input('images', g.f32(1, 3, 8, 8));
const kernel = g.input('kernel', g.f32(4, 5, 3, 3));
const index = g.input('index', g.i32(4));

/** Each call stands on a line of its own, and each operator is called once in this file. */
const mistakes: readonly [op: string, shapes: string, reason: RegExp, call: string, fn: () => unknown][] = [
  ['add', '[2, 3] and [4]', /do not broadcast/, 'g.add(', () => g.add(x, g.input('y', g.f32(4)))],
  ['mul', '[2, 3] and [4] int32', /differ in type/, 'g.mul(', () => g.mul(x, index)],
  ['where', '[2, 3] and [2, 3] and []', /must be boolean/, 'g.where(', () => g.where(x, x, 0)],
  ['matmul', '[2, 3] and [2, 3]', /inner sizes 3 and 2/, 'g.matmul(', () => g.matmul(x, x)],
  ['conv2d', '[1, 3, 8, 8] and [4, 5, 3, 3]', /3 channels.*5/, 'g.conv2d(', () => g.conv2d(images, kernel)],
  ['reshape', '[2, 3]', /\[4, 2\]/, 'g.reshape(', () => g.reshape(x, [4, 2])],
  ['transpose', '[2, 3]', /axis 2 is out of range/, 'g.transpose(', () => g.transpose(x, [2, 0])],
  ['expand', '[2, 3]', /\[2, 4\]/, 'g.expand(', () => g.expand(x, [2, 4])],
  ['slice', '[2, 3]', /0:5:1/, 'g.slice(', () => g.slice(x, 1, 0, 5)],
  ['pad', '[2, 3]', /one amount for each axis/, 'g.pad(', () => g.pad(x, [1], [1])],
  ['concat', '[2, 3] and [2, 4]', /outside axis 0/, 'g.concat(', () => g.concat([x, g.input('y', g.f32(2, 4))], 0)],
  ['gather', '[2, 3] and [2, 3]', /must be int32/, 'g.gather(', () => g.gather(x, x)],
  ['scatterAdd', '[2, 3] and [4] int32', /one row for each index/, 'g.scatterAdd(', () => g.scatterAdd(x, index, 9)],
  ['argmax', '[2, 3]', /axis 7 is out of range/, 'g.argmax(', () => g.argmax(x, 7)],
  ['grad', '[2, 3]', /only a scalar/, 'g.grad(', () => g.grad(x, x)],
  // Composed functions blame their caller too.
  ['reduceSum', '[2, 3]', /axis 5 is out of range/, 'g.mean(', () => g.mean(x, 5)],
];

describe('a shape error', () => {
  it.each(mistakes)('of %s names the op, the shapes %s and the line', (op, shapes, reason, call, fn) => {
    const message = messageFrom(fn);
    expect(message.startsWith(`${op} of ${shapes}: `), message).toBe(true);
    expect(message).toMatch(reason);
    expect(blamed(message)).toContain(call);
  });

  it('comes while tracing, before anything is compiled', () => {
    const message = messageFrom(() =>
      g.trace({ a: g.f32(2), b: g.f32(3) }, ({ a, b }) => {
        return g.sub(a, b);
      }),
    );
    expect(blamed(message)).toContain('g.sub(a, b)');
  });

  it('blames the caller of grad for a gradient by hand of another shape', () => {
    const y = g.withGradient(g.exp(x), [x], () => [g.input('wrong', g.f32(5))]);
    const loss = g.sum(g.div(y, x));
    const message = messageFrom(() => ({ wrong: g.grad(loss, { x }) }));
    expect(blamed(message)).toContain('g.grad(loss, { x })');
  });
});
