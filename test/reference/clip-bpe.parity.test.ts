/** CLIP's own tokenizer against the official one. */
import { existsSync } from 'node:fs';
import { it } from 'vitest';
import * as z from 'zod';
import { fixturePath, onJsonFixture } from '../support/fixtures.ts';
import { compare, EXACT, same } from '../support/parity.ts';
import { ClipBpe, cleaned } from './clip-bpe.ts';

const tokenizer = z.object({
  context_length: z.number(),
  sot: z.number(),
  eot: z.number(),
  entries: z.array(
    z.object({
      text: z.string(),
      ftfy_changed: z.boolean(),
      cleaned: z.string(),
      ids: z.array(z.number()),
      tokens: z.array(z.number()),
      truncated: z.boolean(),
      decoded: z.string(),
    }),
  ),
});

const MERGES = 'bpe_simple_vocab_16e6.txt.gz';

onJsonFixture('tokenizer', (value) => {
  const { context_length, sot, eot, entries } = tokenizer.parse(value);
  const bpe = existsSync(fixturePath(MERGES)) ? ClipBpe.read(fixturePath(MERGES)) : new ClipBpe([]);

  it('has the same special tokens', () => {
    compare('tokenizer', 'start and end', [bpe.start, bpe.end], [sot, eot], EXACT);
  });

  // Of what ftfy does, only what is well defined is promised.
  const faithful = entries.filter((entry) => !entry.ftfy_changed || cleaned(entry.text) === entry.cleaned);
  for (const { text } of entries.filter((entry) => !faithful.includes(entry)))
    console.warn(`SKIPPED: ${JSON.stringify(text)}, which ftfy repairs in a way of its own`);

  it.each(faithful)('encodes $text as the reference does', ({ text, ids, tokens, decoded, ...entry }) => {
    const part = entry.ftfy_changed ? ', repaired' : '';
    same('tokenizer', `cleaned${part}`, cleaned(text), entry.cleaned);
    same('tokenizer', `ids${part}`, bpe.encode(text), ids);
    compare('tokenizer', `tokens${part}`, bpe.rows([text], context_length), tokens, EXACT);
    same('tokenizer', `decoded${part}`, bpe.decode(ids), decoded);
  });
});
