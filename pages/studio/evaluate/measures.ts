/**
 * The numbers of reports as rows of a table: a measure with its interval is one row, under the name that people use.
 */

import type { ReportFacts } from '../../../src/studio/protocol.ts';

/** A measure of one report. */
export interface Measured {
  readonly value: number;
  /** Where it would lie for other pictures, 95 times of 100. */
  readonly range: readonly [low: number, high: number] | undefined;
}

export interface Row {
  readonly path: string;
  readonly title: string;
  /** In which direction it is better, where there is one. */
  readonly better: 'more' | 'less' | undefined;
  /** By report, undefined where one lacks it. */
  readonly measured: readonly (Measured | undefined)[];
}

export interface Group {
  readonly name: string;
  readonly title: string;
  readonly rows: readonly Row[];
}

type Names = Readonly<Record<string, readonly [title: string, better?: Row['better']]>>;

const NAMES: Names = {
  psnr: ['PSNR, in dB', 'more'],
  ssim: ['SSIM', 'more'],
  'lpips.distance': ['LPIPS', 'less'],
  perplexity: ['Perplexity of the codes', 'more'],
  usage: ['Share of the codes that occur', 'more'],
  matched: ['Cosine with the own prompt', 'more'],
  shuffled: ['Cosine with other prompts'],
  p: ['p'],
  bestOf: ['Best of'],
  chosen: ['Cosine of what was kept', 'more'],
  unchosen: ['Cosine without the choice', 'more'],
  'independent.score': ['Cosine by another CLIP', 'more'],
  'independent.unchosen': ['By another CLIP, without the choice', 'more'],
  frechet: ['Fréchet distance', 'less'],
  kernel: ['Kernel distance', 'less'],
  mind: ['MIND', 'less'],
  'floor.frechet': ['Fréchet distance of real pictures'],
  'floor.kernel': ['Kernel distance of real pictures'],
  'floor.mind': ['MIND of real pictures'],
  'neighbourhoods.precision': ['Precision', 'more'],
  'neighbourhoods.recall': ['Recall', 'more'],
  'neighbourhoods.density': ['Density'],
  'neighbourhoods.coverage': ['Coverage', 'more'],
  inceptionScore: ['Inception score', 'more'],
  dim: ['Dimensions of the features'],
  made: ['Generated pictures'],
  real: ['Real pictures'],
  z: ['C_T: far below 0 where it copies'],
  'worst.z': ['C_T, worst cell'],
  'worst.p': ['p of the worst cell'],
};

const GROUPS: Readonly<Record<string, string>> = {
  reconstruction: 'Through the tokenizer and back',
  prompts: 'Prompts',
  sets: 'Distance from real pictures',
  copies: 'Copies of training pictures',
};

const INTERVAL = /\.(value|low|high|samples|deviation|parts)$/;

/** `floor.codeUsage` for people: Floor, code usage. */
function wordsOf(path: string): string {
  const text = path.replaceAll('.', ', ').replaceAll(/[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`);
  return `${text.charAt(0).toUpperCase()}${text.slice(1)}`;
}

/** The group of a path, and what is left of it: sets of features are a group each. */
function placed(path: string): readonly [group: string, rest: string] {
  const [first = '', second = '', ...rest] = path.split('.');
  return first === 'sets' ? [`${first}.${second}`, rest.join('.')] : [first, [second, ...rest].join('.')];
}

function titleOf(group: string): string {
  const [first = '', features] = group.split('.');
  const title = GROUPS[first] ?? wordsOf(first);
  return features === undefined ? title : `${title}: ${features}`;
}

function measuredIn({ numbers }: ReportFacts, path: string): Measured | undefined {
  const value = numbers[path] ?? numbers[`${path}.value`];
  const [low, high] = [numbers[`${path}.low`], numbers[`${path}.high`]];
  return value === undefined
    ? undefined
    : { value, range: low === undefined || high === undefined ? undefined : [low, high] };
}

/** All that some reports measure, in the order of the first that has it. */
export function groupsOf(reports: readonly ReportFacts[]): readonly Group[] {
  const isInterval = (path: string) => reports.some(({ numbers }) => `${path}.value` in numbers);
  const bare = (path: string) => {
    const short = path.replace(INTERVAL, '');
    return isInterval(short) ? short : path;
  };
  const paths = [...new Set(reports.flatMap(({ numbers }) => Object.keys(numbers).map(bare)))];
  const groups = [...new Set(paths.map((path) => placed(path)[0]))];
  return groups.map((name) => ({
    name,
    title: titleOf(name),
    rows: paths
      .filter((path) => placed(path)[0] === name)
      .map((path) => {
        const rest = placed(path)[1];
        const [title = wordsOf(rest === '' ? name : rest), better] = NAMES[rest] ?? [];
        return { path, title, better, measured: reports.map((report) => measuredIn(report, path)) };
      }),
  }));
}

/** Whether a value is better than all others of its row, beyond the intervals of both. */
export function isBest({ better, measured }: Row, at: number): boolean {
  const own = measured[at];
  const others = measured.filter((other, i) => other !== undefined && i !== at) as readonly Measured[];
  if (better === undefined || !own?.range || others.length === 0) return false;
  const [low, high] = own.range;
  return others.every(({ value, range: [least, most] = [value, value] }) =>
    better === 'more' ? low > most : high < least,
  );
}
