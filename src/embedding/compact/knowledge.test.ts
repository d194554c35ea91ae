import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { writeTinyClip } from '../../../test/support/tiny-clip.ts';
import { openEmbedder } from '../embedder.ts';
import { knowledgeOf, tokenRows } from './knowledge.ts';

const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'clipvq-knowledge-'));
afterAll(() => fs.rmSync(folder, { recursive: true }));

it('counts the tokens that share no place with padding, and names the words that have another', () => {
  const rows = Int32Array.of(0, 1, 2, 3, 3, 3);
  const ids: Readonly<Record<string, number[]>> = { a: [0], hat: [1, 2], cat: [1, 4] };
  const of = (text: string) => knowledgeOf(text, rows, 5, (word) => ids[word]!);
  expect(of('a hat')).toEqual({ share: 1, unknown: [] });
  expect(of(' a  cat\n')).toEqual({ share: 2 / 3, unknown: ['cat'] });
  expect(of(' ')).toEqual({ share: 0, unknown: [] });
});

it('tells what a trained CLIP knows of prompts, and nothing of a CLIP without a table of its tokens', async () => {
  // Its weights are no part of what runs: with the table gone it is as any CLIP of the hub.
  for (const hasTable of [true, false]) {
    const clip = path.join(folder, `${hasTable}`);
    writeTinyClip(clip, 'clip', { keepWeights: hasTable });
    expect(tokenRows(clip) !== undefined).toBe(hasTable);
    await using embedder = await openEmbedder(clip, { threads: 1 });
    const knowledge = await embedder.knowledge(['a red hat', '猫', 'a red 猫']);
    if (!hasTable) expect(knowledge).toBeUndefined();
    else {
      expect(knowledge!.map(({ unknown }) => unknown)).toEqual([[], ['猫'], ['猫']]);
      expect(knowledge!.map(({ share }) => share)).toEqual([1, 0, expect.closeTo(0.4, 1)]);
    }
  }
});
