/** A CLIP that is opened soon after another computes in its thread, which ends where none is. */

import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterAll, afterEach, beforeEach, expect, it, vi } from 'vitest';
import { writeTinyClip } from '../../test/support/tiny-clip.ts';
import { MOST_TOKENIZING } from './clip-protocol.ts';
import { giveBackClipThread, REST, takeClipThread } from './clip-threads.ts';
import { resolveClip } from './sources/clip-source.ts';

const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'clipvq-threads-'));
afterAll(() => fs.rmSync(folder, { recursive: true }));
// A rest is as long as a test lets it be.
beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
});
afterEach(() => {
  vi.useRealTimers();
});

const opening = async (kind: 'clip' | 'joint') => {
  const place = path.join(folder, kind);
  if (!fs.existsSync(place)) writeTinyClip(place, kind, { keepWeights: true });
  return { source: await resolveClip(place), threads: 1, mostTokenizing: MOST_TOKENIZING };
};
const texts = { texts: ['a red hat'], truncate: false };

it('is taken again after its CLIP was closed, by one CLIP at a time, and embeds the same', async () => {
  const first = await takeClipThread();
  const facts = await first.call('open', await opening('clip'));
  const embedding = await first.call('texts', texts);
  await giveBackClipThread(first);
  await expect(first.call('texts', texts)).rejects.toThrow('no CLIP is open');

  const [again, another] = [await takeClipThread(), await takeClipThread()];
  expect(again).toBe(first);
  expect(another).not.toBe(first);
  for (const thread of [again, another]) {
    expect(await thread.call('open', await opening('clip'))).toEqual(facts);
    expect(await thread.call('texts', texts)).toEqual(embedding);
    await giveBackClipThread(thread);
  }
  expect([again.isOpen, another.isOpen]).toEqual([true, false]);
});

it('ends after its rest', async () => {
  const thread = await takeClipThread();
  await giveBackClipThread(thread);
  vi.advanceTimersByTime(REST - 1);
  expect(thread.isOpen).toBe(true);
  vi.advanceTimersByTime(1);
  expect(thread.isOpen).toBe(false);
  const next = await takeClipThread();
  expect(next).not.toBe(thread);
  await giveBackClipThread(next);
});

it('ends at once where it has loaded the library, or could not open its CLIP', async () => {
  for (const kind of ['joint', 'clip'] as const) {
    const broken = await opening(kind);
    if (kind === 'clip') fs.writeFileSync(path.join(folder, kind, 'config.json'), '{');
    const thread = await takeClipThread();
    const open = thread.call('open', broken);
    if (kind === 'clip') await expect(open).rejects.toThrow('cannot load the CLIP');
    else await open;
    await giveBackClipThread(thread);
    expect(thread.isOpen).toBe(false);
  }
});
