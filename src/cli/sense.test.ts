/** What would end in a false success stops in one line before anything is trained, or ends in a warning. */

import { expect, it } from 'vitest';
import { clipDoubt, clipFault } from '../clip/report.ts';
import type { Retrieval } from '../clip/retrieval.ts';
import { makeRecipe } from '../recipe/recipe.ts';
import { collapseNote } from '../training/loop/collapse.ts';
import { refuseTooLarge } from './memory.ts';
import { checkClipStage, fewPictures } from './sense.ts';

it('refuses to train a CLIP without captions, or beside another one', () => {
  expect(() => checkClipStage('clip', { data: '/pairs.json', clip: 'compact' })).toThrow(
    /does not have: .* \.jsonl file/,
  );
  expect(() => checkClipStage('clip', { data: '/pairs.jsonl', clip: '/clip' })).toThrow(/leave --clip out/);
  expect(() => checkClipStage('clip', { data: '/pairs.jsonl', clip: 'compact' })).not.toThrow();
  expect(() => checkClipStage('all', { data: '/pictures', clip: '/clip' })).not.toThrow();
});

it('refuses one picture and warns of a few', () => {
  expect(() => fewPictures(1)).toThrow(/^One picture is too few/);
  expect(fewPictures(12)).toMatch(/^12 pictures are few/);
  expect(fewPictures(1000)).toBeUndefined();
});

it('says that a CLIP knows nothing, with chance, and that it has learned by heart', () => {
  const retrieval = (at1: number, among = 100): Retrieval => {
    const recall = { at1, at5: at1, at10: at1 };
    return { imageToText: recall, textToImage: recall, among, gap: 0 };
  };
  const report = (found: number, seen: number) => ({
    heldOut: 100,
    retrieval: retrieval(found),
    seen: retrieval(seen),
  });
  expect(clipFault(report(0.02, 0.9))).toBe(
    'This CLIP knows hardly more than chance: it finds 2.0 % of the held-out pairs, and guessing 1.0 %. It has learned its own pairs by heart (90 %).',
  );
  expect(clipFault(report(0.02, 0.02))).not.toContain('by heart');
  expect(clipFault(report(0.4, 0.9))).toBeUndefined();
  expect(clipDoubt(report(0.4, 0.9))).toBeUndefined();
  expect(clipDoubt({ ...report(0.4, 0.9), heldOut: 4 })).toMatch(/^4 held-out pairs do not tell .*100 captioned/);
  expect(clipFault({ ...report(1, 1), collapsed: true })).toContain('has collapsed');
  expect(clipFault({ ...report(0.02, 0.02), zeroShot: { classes: 10, accuracy: 0.8 } })).toBeUndefined();
  expect(clipFault({ ...report(0.02, 0.02), zeroShot: { classes: 10, accuracy: 0.1 } })).toContain('chance');
});

it('says that a codebook has collapsed, and what to set', () => {
  const nano = makeRecipe('nano');
  const { codes } = nano.tokenizer;
  expect(collapseNote('tokenizer', { loss: 1, perplexity: codes / 16 }, nano)).toMatch(/it has collapsed/);
  expect(collapseNote('tokenizer', { loss: 1, perplexity: codes / 2 }, nano)).toBeUndefined();
  expect(collapseNote('diffusion', { loss: 1 }, nano)).toBeUndefined();
});

it('refuses a stage that needs more memory than the machine has, in one line', () => {
  const stage = { name: 'tokenizer', batch: 4, smaller: { state: 's', activations: 'imageSize' } } as const;
  const planned = { ...stage, footprint: () => ({ state: 0, activations: 0, copies: 0, programs: 0 }) };
  expect(() => refuseTooLarge(planned, 80e9, 24e9)).toThrow(
    /^tokenizer: needs about 80.* and there are 24.*: lower imageSize, compute batches in micro-batches \(--memory 20400M\)/,
  );
  expect(() => refuseTooLarge(planned, 20e9, 24e9)).not.toThrow();
});
