/** The history on its own: a folder and what is searched in it. */

import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { History } from './history.ts';

it('pages go on where they were when the last picture of one is deleted, or fits the search no more', async () => {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'clipvq-history-'));
  try {
    const history = new History(folder);
    const facts = { kind: 'create', bestOf: 1, width: 1, height: 1, parents: [] } as const;
    const unknown = { negative: undefined, seed: undefined, settings: undefined, model: undefined };
    const others = { clipScore: undefined, job: undefined, strength: undefined, mask: undefined };
    for (const prompt of ['a', 'b', 'c', 'd', 'e', 'f']) {
      const { id } = history.add({ ...facts, ...unknown, ...others, prompt }, Uint8Array.of(1));
      history.change(id, { rating: 3 });
      await delay(2);
    }
    const page = (before?: string) => history.search({ rating: 2, before, limit: 2 });
    const promptsOf = (list: ReturnType<typeof page>) => list.pictures.map(({ prompt }) => prompt);
    const first = page();
    expect(promptsOf(first)).toEqual(['f', 'e']);
    history.remove(first.next!);
    const second = page(first.next);
    expect(promptsOf(second)).toEqual(['d', 'c']);
    history.change(second.next!, { rating: 0 });
    const third = page(second.next);
    expect(promptsOf(third)).toEqual(['b', 'a']);
    expect(third.next).toBeUndefined();
    history.remove(third.pictures[1]!.id);
    expect(promptsOf(page(third.pictures[1]!.id))).toEqual([]);
  } finally {
    fs.rmSync(folder, { recursive: true });
  }
});
