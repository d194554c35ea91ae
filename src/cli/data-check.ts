/** `clipvq data check`: everything there is to know of pictures before training on them. */

import path from 'node:path';
import { Command } from 'commander';
import { UserError } from '../base/errors.ts';
import { estimateTraining } from '../bench/estimate.ts';
import { machineSpeed } from '../bench/speed.ts';
import { NEAR_BITS, NEAR_LEVELS } from '../data/pictures/duplicates.ts';
import { NOT_A_PICTURE } from '../data/pictures/identify.ts';
import { nothingUsable, otherFiles, totalsByReason } from '../data/pictures/reasons.ts';
import { type PictureReport, reportPictures } from '../data/pictures/report.ts';
import { isNamedSource } from '../data/sources/open.ts';
import { isOwnPicture } from '../data/sources/own-files.ts';
import { inventoryFolder } from '../data/sources/shared-inventory.ts';
import type { ImageSource } from '../data/sources/source.ts';
import { DEFAULT_CLIP } from '../embedding/sources/default-clip.ts';
import { makeFolder, writeFileAtomic } from '../files/atomic.ts';
import { presets } from '../recipe/recipe.ts';
import { contactSheet } from '../render/sheet.ts';
import { lengthsForPictures, suitedPreset } from '../training/lengths/lengths-for-pictures.ts';
import { writeKeeping } from './keeping.ts';
import { between, whole } from './options.ts';
import { FailedResult, interruptSignal, printResult } from './output.ts';
import { percent } from './percent.ts';
import { readNames } from './picture-options.ts';
import { durations, ProgressDisplay } from './progress.ts';

interface CheckOptions {
  readonly maxPixels: number;
  readonly exclude?: string;
  readonly minSide: number;
  readonly out?: string;
  readonly estimate: boolean;
  readonly json?: boolean;
}

export function dataCheckCommand(): Command {
  return new Command('check')
    .description(
      'decode every picture once, and report what training would use and leave out; training does not look at them again',
    )
    .argument('<pictures>', 'a folder, a .zip or .tar archive, or a Parquet file')
    .option('--max-pixels <megapixels>', 'refuse larger pictures before decoding them', between(0.01, 1000), 100)
    .option('--exclude <file>', 'leave out the pictures that this file names, one a line; * stands for anything')
    .option('--min-side <pixels>', 'count pictures with a shorter side as tiny', whole(1), presets.nano.imageSize)
    .option('--out <dir>', 'write rejected.jsonl, duplicates.jsonl and a contact sheet, sheet.png, there')
    .option('--no-estimate', 'do not measure this machine for the time of training')
    .option('--json', 'print one JSON document on stdout')
    .option('--debug', 'show stack traces')
    .action(check);
}

async function check(
  where: string,
  { maxPixels, exclude, minSide, out, estimate, json = false }: CheckOptions,
): Promise<void> {
  if (isNamedSource(where))
    throw new UserError(`${where} is built in and needs no check: name a folder, an archive or a Parquet file`);
  const display = new ProgressDisplay();
  const { report, source } = await reportPictures(where, {
    side: minSide,
    maxPixels: maxPixels * 1e6,
    exclude: exclude === undefined ? [] : readNames(exclude),
    inventories: inventoryFolder(),
    onProgress: display.count('checking'),
    signal: interruptSignal(),
  });
  display.end();
  if (out !== undefined) await writeFiles(out, report, source);
  const training = estimate && source.size > 0 ? await estimates(report) : [];
  const reasons = totalsByReason(report.rejected);
  const failure = report.accepted === 0 ? nothingUsable(where, report.rejected) : undefined;
  const result = { pictures: where, reasons, ...report, training, ...(failure && { error: failure, exitCode: 2 }) };
  printResult(json, result, () => [
    ...lines(where, report),
    ...(training.length > 0
      ? [
          '',
          'Training would take on this machine (reading and embedding the pictures, tokenizer and diffusion; train --estimate says more):',
        ]
      : []),
    ...training.map(
      ({ preset, isSuited, range, memoryGB }) =>
        `  ${preset.padEnd(10)} ${durations(range).padStart(28)}, ${memoryGB.toFixed(1)} GB${isSuited ? `  <- suited to ${report.accepted} pictures` : ''}`,
    ),
    ...(out === undefined ? [] : ['', `Lists and a contact sheet: ${out}`]),
  ]);
  if (failure !== undefined) throw new FailedResult(failure);
}

async function estimates({ accepted, width, height }: PictureReport) {
  const pictures = { count: accepted, megapixels: (width.median * height.median) / 1e6 };
  const speed = await machineSpeed({});
  const suited = suitedPreset(accepted);
  return Object.values(presets).map((preset) => {
    const recipe = lengthsForPictures(preset, accepted);
    const options = { stages: ['tokenizer', 'diffusion'], speed, conditionDim: DEFAULT_CLIP.dim, pictures } as const;
    const { seconds, range, memoryGB } = estimateTraining(recipe, options);
    const steps = { tokenizer: recipe.tokenizer.steps, diffusion: recipe.diffusion.steps };
    return { preset: recipe.preset, isSuited: recipe.preset === suited, steps, seconds, range, memoryGB };
  });
}

/** Names shown of a list; the files of --out have them all. */
const SHOWN = 20;

function lines(where: string, report: PictureReport): string[] {
  const { accepted, rejected, bytes, width, height, tiny, animated, exactDuplicates, nearDuplicates } = report;
  // Files that claim to be no picture are one line: a folder may hold more of them than pictures.
  const unusable = rejected.filter(({ reason }) => reason !== NOT_A_PICTURE);
  const others = otherFiles(rejected);
  const head = `${where}: ${accepted} pictures can be used, ${unusable.length} cannot`;
  const formats = Object.entries(report.formats).map(([format, count]) => `${count} ${format}`);
  const copies = exactDuplicates.reduce((sum, group) => sum + group.length - 1, 0);
  return [
    head,
    ...(accepted > 0
      ? [
          `  formats      ${formats.join(', ')}; ${(bytes / 1e6).toFixed(1)} MB`,
          `  width        ${width.min} to ${width.max} pixels, half of them up to ${width.median}`,
          `  height       ${height.min} to ${height.max} pixels, half of them up to ${height.median}`,
          `  shapes       ${report.aspects.map(({ shape, count }) => `${count} ${shape}`).join('; ')}`,
          `  tiny         ${tiny.names.length} with a side of less than ${tiny.side} pixels`,
          `  animated     ${animated.length} (their first picture is used)`,
          `  duplicates   ${copies} byte for byte; ${nearDuplicates.length} groups that look the same (difference hash within ${NEAR_BITS} of 64 bits, colours within ${NEAR_LEVELS} of 255)`,
        ]
      : []),
    ...advice(report),
    ...(others === undefined ? [] : ['', `Besides: ${others}`]),
    ...(unusable.length > 0
      ? ['', 'Left out, by reason:', ...totalsByReason(unusable).map(({ kind, count }) => `  ${count} ${kind}`)]
      : []),
    ...listed(
      'Left out:',
      unusable.map(({ path: name, reason }) => `${name}: ${reason}`),
    ),
    ...listed(
      'The same byte for byte:',
      exactDuplicates.map((group) => group.join(', ')),
    ),
    ...listed(
      'Alike:',
      nearDuplicates.map((group) => group.join(', ')),
    ),
    ...listed('Tiny:', tiny.names),
  ];
}

/** Below so many pictures, mirrored ones are recommended. */
const FEW = 5000;

/** What the pictures suggest for training. */
function advice({ accepted, notSquare, exactDuplicates }: PictureReport): string[] {
  const lines = [
    ...(notSquare.count > 0
      ? [
          `${percent(notSquare.count / accepted)} of the pictures are not square: training sees their middle square, without ${percent(notSquare.cut)} of their area on average. All of it: --set pictures.crop=pad (on the background), =cover (squares from end to end in turn) or =random (near the middle)`,
        ]
      : []),
    ...(accepted > 0 && accepted < FEW
      ? [
          `${accepted} pictures are few: --set pictures.flip=true trains on their mirror images too (not where they hold text or only one side is right)`,
        ]
      : []),
    ...(exactDuplicates.length > 0
      ? [
          'Pictures that are the same byte for byte are trained on once (--set pictures.duplicates=all: as often as they are there)',
        ]
      : []),
  ];
  return lines.length > 0 ? ['', 'Advice:', ...lines.map((line) => `  ${line}`)] : [];
}

function listed(title: string, items: readonly string[]): string[] {
  if (items.length === 0) return [];
  const more = items.length - SHOWN;
  const shown = items.slice(0, SHOWN).map((item) => `  ${item}`);
  return ['', title, ...shown, ...(more > 0 ? [`  … and ${more} more (--out <dir> lists all)`] : [])];
}

/** Columns and rows of the contact sheet. */
const [COLUMNS, ROWS] = [10, 6];

async function writeFiles(out: string, report: PictureReport, source: ImageSource): Promise<void> {
  makeFolder(out);
  const asLines = (values: readonly unknown[]) => values.map((value) => `${JSON.stringify(value)}\n`).join('');
  writeFileAtomic(path.join(out, 'rejected.jsonl'), asLines(report.rejected));
  const duplicates = [
    ...report.exactDuplicates.map((names) => ({ kind: 'exact', names })),
    ...report.nearDuplicates.map((names) => ({ kind: 'near', names })),
  ];
  writeFileAtomic(path.join(out, 'duplicates.jsonl'), asLines(duplicates));
  const sheet = path.join(out, 'sheet.png');
  if (source.size > 0) (isOwnPicture(sheet) ? writeFileAtomic : writeKeeping)(sheet, await sheetOf(source, report));
}

/** Pictures from all over the source, evenly spaced. */
async function sheetOf(source: ImageSource, { rejected }: PictureReport): Promise<Buffer> {
  const shown = Math.min(source.size, COLUMNS * ROWS);
  const at = Array.from({ length: shown }, (_, i) => Math.floor((i * source.size) / shown));
  const images = await Promise.all(at.map((index) => source.read(index, 96)));
  const rows = Array.from({ length: Math.ceil(shown / COLUMNS) }, (_, row) => {
    const first = at[row * COLUMNS]!;
    return {
      label: `from ${first + 1}`,
      note: source.id(first),
      images: images.slice(row * COLUMNS, (row + 1) * COLUMNS),
    };
  });
  const subtitle = `${source.size} pictures, ${shown === source.size ? 'all' : `${shown} of them`} shown; ${rejected.length} left out`;
  return contactSheet({ title: source.name, subtitle, rows, tileSize: 96 });
}
