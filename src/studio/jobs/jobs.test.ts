/** The order of jobs, without anything that they do. */

import { setImmediate } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { Jobs, type Running, type Work } from './jobs.ts';

const jobs = () => new Jobs({ onJob: () => {}, onList: () => {}, most: 10 });
const request = { kind: 'create', prompt: 'a hat' } as const;

/** Work that halts or is done when it is let off; `goes` holds the signals of each time that it ran. */
function work(): Work & { readonly goes: Running[]; halt(): Promise<void> } {
  const goes: Running[] = [];
  let letOff = () => {};
  return {
    goes,
    async run(job) {
      goes.push(job);
      await new Promise<void>((resolve) => {
        letOff = resolve;
      });
      return job.paused.aborted ? 'paused' : 'done';
    },
    async halt() {
      letOff();
      await setImmediate();
    },
  };
}

it('a job that is resumed before it has halted goes on', async () => {
  const list = jobs();
  const drawing = work();
  const { id } = list.add(request, 'a hat', drawing);
  list.pause(id);
  list.resume(id);
  await drawing.halt();
  expect([list.get(id).state, drawing.goes.length]).toEqual(['running', 2]);
  expect(drawing.goes[1]!.paused.aborted).toBe(false);
  list.pause(id);
  list.resume(id);
  list.pause(id);
  await drawing.halt();
  expect([list.get(id).state, drawing.goes.length]).toEqual(['paused', 2]);
  list.resume(id);
  await drawing.halt();
  expect([list.get(id).state, drawing.goes.length]).toEqual(['done', 3]);
});

it('a job that is moved in front of itself stays where it is', () => {
  const list = jobs();
  const ids = ['a', 'b', 'c'].map((title) => list.add(request, title, work()).id);
  expect(list.move(ids[1]!, ids[1]!).map(({ title }) => title)).toEqual(['a', 'b', 'c']);
  expect(list.move(ids[2]!, ids[1]!).map(({ title }) => title)).toEqual(['a', 'c', 'b']);
  expect(list.move(ids[2]!, null).map(({ title }) => title)).toEqual(['a', 'b', 'c']);
});
