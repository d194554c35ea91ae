/** Reports as the page sets them beside each other. */

import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { expect, it } from 'vitest';
import { groupsOf, isBest } from '../../../pages/studio/evaluate/measures.ts';
import type { Interval } from '../../evaluation/interval.ts';
import type { Report } from '../../evaluation/report.ts';
import { Missing } from '../refusals.ts';
import { Reports } from './reports.ts';

const interval = (value: number): Interval => ({ value, low: value - 0.1, high: value + 0.1, samples: 9 });

/** A report in which each distance and score has the value `x`. */
function reportOf(x: number): Report {
  const distances = { frechet: interval(x), kernel: interval(x), mind: interval(x) };
  const neighbourhoods = {
    precision: interval(x),
    recall: interval(x),
    density: interval(x),
    coverage: interval(x),
    k: 5,
  };
  return {
    model: 'my-run',
    clip: 'a CLIP',
    reconstruction: {
      ...{ pictures: 9, psnr: interval(x), ssim: interval(x), perplexity: 1, usage: 1 },
      lpips: { net: 'alex', distance: interval(x) },
    },
    prompts: {
      ...{ prompts: 9, bestOf: 1, matched: x, shuffled: x, p: 0, chosen: interval(x), unchosen: interval(x) },
      independent: { clip: 'another CLIP', score: interval(x), unchosen: interval(x) },
    },
    sets: [
      {
        ...{ features: 'CLIP v1.5', dim: 8, made: 9, real: 9, ...distances, caution: undefined },
        neighbourhoods,
        floor: { ...distances, pictures: 9 },
        inceptionScore: { ...interval(x), deviation: 0, parts: 1 },
      },
    ],
    copies: {
      ...{ z: x, p: 0, cells: [], worst: { z: x, p: 0 }, nearest: [] },
      samples: { made: 9, heldOut: 9, training: 9 },
    },
  };
}

it('every measure with an interval has a name for people, and less of a distance is better', () => {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'clipvq-reports-'));
  try {
    const reports = new Reports(folder);
    for (const [i, id] of ['000000000001', '000000000002'].entries()) {
      fs.mkdirSync(reports.folder(id));
      fs.writeFileSync(path.join(reports.folder(id), 'report.json'), JSON.stringify(reportOf(i)));
      reports.note(id, { model: `model ${i}`, data: 'pictures' });
    }
    const list = reports.list().sort((a, b) => a.id.localeCompare(b.id));
    const rows = groupsOf(list).flatMap((group) => group.rows);
    const measured = rows.filter((row) => row.measured[0]?.range !== undefined);
    expect(measured.map(({ title }) => title)).toEqual([
      ...['PSNR, in dB', 'SSIM', 'LPIPS'],
      ...['Cosine of what was kept', 'Cosine without the choice'],
      ...['Cosine by another CLIP', 'By another CLIP, without the choice'],
      ...['Fréchet distance', 'Kernel distance', 'MIND', 'Precision', 'Recall', 'Density', 'Coverage'],
      ...['Fréchet distance of real pictures', 'Kernel distance of real pictures', 'MIND of real pictures'],
      'Inception score',
    ]);
    const mind = rows.find(({ title }) => title === 'MIND')!;
    expect([mind.better, isBest(mind, 0), isBest(mind, 1)]).toEqual(['less', true, false]);
  } finally {
    fs.rmSync(folder, { recursive: true });
  }
});

it('deleting a report leaves nothing of it behind, and nothing of another is touched', () => {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'clipvq-reports-'));
  try {
    const reports = new Reports(folder);
    const [one, other] = ['000000000001', '000000000002'];
    for (const id of [one, other]) {
      fs.mkdirSync(reports.folder(id));
      fs.writeFileSync(path.join(reports.folder(id), 'report.html'), '<!doctype html>');
      fs.writeFileSync(reports.log(id), 'features of real pictures 3/9\n');
      fs.writeFileSync(reports.prompts(id), 'a red hat\n');
    }
    reports.remove(one);
    expect(fs.readdirSync(folder).sort()).toEqual([other, `${other}.log`, `${other}.txt`]);
    expect(() => reports.remove(one)).toThrow(Missing);
  } finally {
    fs.rmSync(folder, { recursive: true });
  }
});
