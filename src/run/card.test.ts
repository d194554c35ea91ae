/** Model cards: what the hub reads, what people read, and nothing that is private. */

import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { shareEngines } from '../../test/support/keeping-engine.ts';
import { tinyRecipe, writeTinyRun } from '../../test/support/tiny-model.ts';
import { UserError } from '../base/errors.ts';
import { CARD_MARK, type CardFacts, modelCard } from './card.ts';
import { cardFacts, writeCard } from './card-facts.ts';

shareEngines();
const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'clipvq-card-'));
afterAll(() => fs.rmSync(folder, { recursive: true }));

const facts: CardFacts = {
  title: 'My\ncats | dogs',
  license: 'cc-by-4.0',
  recipe: tinyRecipe,
  seed: 3,
  hash: '0123456789abcdef',
  data: 'a folder of the owner',
  pictures: 12_345,
  clip: 'owner/name',
  metrics: { diffusion: { step: 40, figures: { loss: 5.8648624420166 } } },
  version: '1.2.3',
};

describe('a card', () => {
  it('begins with the front matter of the hub', () => {
    const [, matter, rest] = modelCard(facts).split('---\n');
    expect(matter!.split('\n')).toEqual([
      'license: cc-by-4.0',
      'library_name: clip-vqdiffusion',
      'pipeline_tag: text-to-image',
      'tags:',
      '  - text-to-image',
      '  - vq-diffusion',
      '  - clip',
      '',
    ]);
    expect(rest).toContain('# My cats \\| dogs\n');
    expect(modelCard({ ...facts, license: undefined })).toContain('license: unknown\n');
  });

  it('has data, recipe, metrics, limits and how to load the model', () => {
    const card = modelCard(facts);
    for (const part of ['## Use', '## Data', '## Recipe', '## Metrics', '## Limits']) expect(card).toContain(part);
    expect(card).toContain('a folder of the owner, 12,345 of them.');
    expect(card).toContain("Generator.load('.')");
    expect(card).toContain('| diffusion | 40 | loss | 5.865 |');
    expect(card).toContain('| CLIP | owner/name |');
    expect(card).toContain('model hash `0123456789abcdef`');
    expect(modelCard({ ...facts, metrics: {}, pictures: undefined })).toContain('clipvq evaluate --model .');
  });
});

describe('of a run', () => {
  const run = writeTinyRun(path.join(folder, 'my run'));

  it('the facts are read off its files', () => {
    run.log({ stage: 'diffusion', step: 1, loss: 9, stateBytes: 5 });
    run.log({ stage: 'diffusion', step: 2, loss: 8, gradientNorm: 1 });
    fs.appendFileSync(run.file('log.jsonl'), '{"stage":"diffu');
    expect(cardFacts(run, {})).toMatchObject({
      title: 'my run',
      license: undefined,
      hash: run.modelHash(),
      pictures: tinyRecipe.images,
      metrics: { diffusion: { step: 2, figures: { loss: 8 } } },
    });
    const other = run.changed({ ...run.settings, data: path.join(folder, 'secret'), clip: path.join(folder, 'c') });
    fs.writeFileSync(other.file('cache', 'inventory.jsonl'), '{"picture":{}}\n{"reason":"x"}\n{"picture":{}}\n');
    const found = cardFacts(other, {});
    expect(found.pictures).toBe(2);
    expect(modelCard(found)).not.toContain(folder);
  });

  it('it is written anew, but never over one that somebody else has written', () => {
    expect(writeCard(run, { license: 'mit' })).toBe(true);
    expect(writeCard(run)).toBe(true);
    const text = fs.readFileSync(run.file('README.md'), 'utf8');
    expect(text).toContain('license: unknown');
    fs.writeFileSync(run.file('README.md'), text.replace(CARD_MARK, 'mine'));
    expect(writeCard(run)).toBe(false);
    expect(fs.readFileSync(run.file('README.md'), 'utf8')).toContain('mine');
  });

  it.each(['my own', '', 'mit\nevil: true', '-x'])('the licence %j is refused', (license) => {
    expect(() => cardFacts(run, { license })).toThrow(UserError);
  });
});
