/** Sheets of pictures that differ in one or two settings: `--sweep guidance=1,2,3 --sweep steps=8,12`. */

import { InvalidArgumentError } from 'commander';
import { UserError } from '../base/errors.ts';
import {
  type Condition,
  type GeneratedImage,
  type GenerateOptions,
  type Generator,
  nameOf,
} from '../generation/generator.ts';
import { requestOf } from '../generation/options.ts';
import type { Recipe } from '../recipe/schema.ts';
import type { Sheet } from '../render/sheet.ts';
import { settingValue } from './options.ts';
import { samplingNames, settingCalled } from './sampling-options.ts';

/** A setting and the values to try. */
export interface Axis {
  /** As it was named. */
  readonly name: string;
  readonly setting: string;
  readonly values: readonly unknown[];
}

/** `setting=value,value`, repeatable. */
export function sweepAxis(text: string, previous: readonly Axis[] = []): readonly Axis[] {
  const [name = '', values = '', ...rest] = text.split('=').map((part) => part.trim());
  if (name === '' || values === '' || rest.length > 0)
    throw new InvalidArgumentError('write it as setting=value,value, such as guidance=1,2,3.');
  const known = settingCalled(name);
  if (!known) throw new InvalidArgumentError(`there is no setting ${name}: choose among ${samplingNames.join(', ')}.`);
  if (previous.some(({ setting }) => setting === known.setting))
    throw new InvalidArgumentError(`${name} is swept twice: write its values in one list.`);
  if (previous.length === 2) throw new InvalidArgumentError('a sheet has two directions: sweep at most two settings.');
  const read = settingValue(known.schema);
  const list = [...new Set(values.split(',').map((value) => read(value.trim())))];
  return [...previous, { name, setting: known.setting, values: list }];
}

/** A picture of a sheet, and what it was drawn with. */
export interface Cell {
  readonly prompt: string;
  readonly seed: number;
  readonly clipScore: number;
  readonly settings: GeneratedImage['settings'];
}

export interface SweptSheet {
  readonly sheet: Sheet;
  readonly cells: readonly Cell[];
}

/** Values of every axis for one row or column. */
interface Place {
  readonly label: string;
  readonly options: Readonly<Record<string, unknown>>;
}

const placesOf = ({ name, setting, values }: Axis): readonly Place[] =>
  values.map((value) => ({ label: `${name} ${String(value)}`, options: { [setting]: value } }));

/**
 * Draw a sheet, and report its places as progress: a row for each prompt and value of the first setting; its columns
 * are the values of the second one, or, where there is one only, the seeds. All combinations are checked before the
 * first is drawn.
 * @throws UserError if a combination is impossible.
 */
export async function sweptSheet(
  generator: Pick<Generator, 'generate'> & { readonly recipe: Recipe },
  conditions: readonly Condition[],
  axes: readonly Axis[],
  options: GenerateOptions,
): Promise<SweptSheet> {
  const [first, second] = axes;
  if (!first) throw new UserError('Name a setting to sweep: --sweep guidance=1,2,3');
  const { count = 1, seed = 0 } = options;
  const rows = placesOf(first);
  const columns = second && placesOf(second);
  const ranges = columns ?? [{ label: '', options: { count } }];
  for (const row of rows)
    for (const column of ranges)
      requestOf(conditions, { ...options, ...row.options, ...column.options }, generator.recipe, ['bestOf']);

  const repeats = columns ? count : 1;
  const { onProgress, ...drawing } = options;
  const places = conditions.length * repeats * rows.length * ranges.length;
  let done = 0;
  const cells: Cell[] = [];
  const sheetRows: Sheet['rows'][number][] = [];
  for (const condition of conditions)
    for (let repeat = 0; repeat < repeats; repeat++)
      for (const row of rows) {
        const own = columns ? { count: 1, seed: Number(seed) + repeat } : {};
        const images: GeneratedImage[] = [];
        for (const column of ranges) {
          const all = { ...drawing, ...own, ...row.options, ...column.options };
          images.push(...(await generator.generate(condition, all)));
          onProgress?.(++done, places);
        }
        cells.push(
          ...images.map(({ prompt, seed: drawn, clipScore, settings }) => ({
            prompt,
            seed: drawn,
            clipScore,
            settings,
          })),
        );
        const seeds = columns ? `, seed ${images[0]!.seed}` : '';
        sheetRows.push({
          label: nameOf(condition),
          note: `${row.label}${seeds}`,
          images: images.map(({ image }) => image),
        });
      }
  const names = columns?.map(({ label }) => label) ?? cells.slice(0, count).map(({ seed: drawn }) => `seed ${drawn}`);
  return { sheet: { columns: names, rows: sheetRows }, cells };
}
