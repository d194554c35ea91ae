/** Files as a training and an evaluation leave them, for what shows them: made without either. */

import fs from 'node:fs';
import path from 'node:path';
import { makeRecipe } from '../../src/recipe/recipe.ts';
import { RunDirectory } from '../../src/run/directory.ts';
import { sheetFile } from '../../src/training/reports/sheet-files.ts';

/** A run of the preset nano that has stopped, with a loss of each stage that falls towards `end`. */
export function writeLoggedRun(folder: string, end: number, changes: Readonly<Record<string, string>>): RunDirectory {
  const recipe = makeRecipe('nano', changes);
  const run = RunDirectory.create(folder, { seed: 0, data: 'faces', clip: 'shipped', recipe });
  const steps = Array.from({ length: 120 }, (_, i) => 10 * i);
  const lines = ['tokenizer', 'diffusion'].flatMap((stage) =>
    steps.map((step) => {
      const loss = end + Math.exp(-step / 200) + 0.04 * Math.sin(step);
      const further = stage === 'tokenizer' ? { codesUsed: 40 + step / 8, perplexity: 20 + step / 16 } : {};
      return `${JSON.stringify({ stage, step, loss, ...further })}\n`;
    }),
  );
  fs.writeFileSync(run.file('log.jsonl'), lines.join(''));
  return run;
}

/** A sample sheet of a run. */
export function writeSheet(run: RunDirectory, stage: string, step: number, png: Uint8Array): void {
  const file = run.file(sheetFile(stage, step));
  fs.mkdirSync(path.dirname(file), { recursive: true });
  fs.writeFileSync(file, png);
}

const interval = (value: number, width: number) => ({ value, low: value - width, high: value + width, samples: 64 });

/**
 * A report as `clipvq evaluate` writes it.
 * @param folder of the studio.
 * @param quality from 0 to 1: how good its numbers are.
 */
export function writeReport(folder: string, id: string, model: string, quality: number): void {
  const report = {
    reconstruction: { pictures: 64, psnr: interval(20 + 8 * quality, 0.4), ssim: interval(0.6 + 0.3 * quality, 0.02) },
    prompts: { prompts: 24, matched: 0.2 + 0.1 * quality, shuffled: 0.11, p: 1e-4 },
    sets: [{ features: 'Inception-v3', dim: 2048, frechet: interval(90 - 60 * quality, 3) }],
    copies: { z: 0.2, nearest: [{ made: 1, training: 2, distance: 0.4 }] },
  };
  const time = `2026-01-0${1 + Math.round(quality * 8)}T12:00:00.000Z`;
  const place = path.join(folder, 'reports', id);
  fs.mkdirSync(place, { recursive: true });
  fs.writeFileSync(path.join(place, 'about.json'), JSON.stringify({ model, data: 'photos', time }));
  fs.writeFileSync(path.join(place, 'report.json'), JSON.stringify(report));
}
