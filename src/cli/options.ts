/** Options that several commands share, and the parsers that turn their text into values. */

import { type Command, InvalidArgumentError, Option } from 'commander';
import * as z from 'zod';
import type { BenchConfig } from '../bench/step-bench.ts';
import { type EngineOptions, MOST_THREADS } from '../engine/protocol.ts';
import { complaintOf } from '../recipe/complaint.ts';
import { defaultThreads } from './rank.ts';

export interface CommonOptions {
  readonly json?: boolean;
  readonly debug?: boolean;
  readonly device?: string;
  readonly threads?: number;
}

/**
 * Options of every command that computes; those that `command` requires are missed only after unknown ones are
 * reported.
 */
export function withCommon(command: Command): Command {
  return unknownFirst(command)
    .addOption(
      new Option('--device <name>', 'where to compute: cpu, webgpu, or another ONNX Runtime provider').default('cpu'),
    )
    .addOption(
      new Option('--threads <n>', 'threads for one operator; 0 is one for each core').argParser(threadCount).default(0),
    )
    .option('--json', 'print one JSON document on stdout')
    .option('--debug', 'show stack traces');
}

/** What to do with stages that were trained, where something under them has changed. */
export const changedOption = (when: string): Option =>
  new Option(
    '--changed <how>',
    `${when}: what to do with a stage whose pictures or models have changed (default: go on where only pictures have, or where it becomes longer together with them; else stop)`,
  ).choices(['go-on', 'restart']);

/** A former name of an option: it works, and no help shows it. */
export const hiddenOption = (flags: string, parse: (text: string) => number): Option =>
  new Option(flags).argParser(parse).hideHelp();

/** For commands that open a model: its CLIP may lie elsewhere than where it was trained. */
export const withClip = (command: Command): Command =>
  command.option('--clip <folder|hub name>', "where the model's CLIP lies, if it was moved");

/** Report `--modle` as unknown, with the nearest name, rather than `--model` as missing. */
function unknownFirst(command: Command): Command {
  const required = command.options.filter(({ mandatory }) => mandatory);
  for (const option of required) option.mandatory = false;
  return command.hook('preAction', (_, called) => {
    const missing = required.find((option) => called.getOptionValue(option.attributeName()) === undefined);
    if (missing) called.error(`error: required option '${missing.flags}' not specified`);
  });
}

/** Sizes of the diffusion model whose steps are timed. */
export type ModelSizes = Pick<BenchConfig, 'layers' | 'dim' | 'heads' | 'grid' | 'codes' | 'batch' | 'rounds'>;

/** Options of commands that time steps of a diffusion model: its sizes, and how many steps. */
export const withModelSizes = (command: Command, defaults: Pick<ModelSizes, 'dim' | 'grid' | 'codes' | 'rounds'>) =>
  command
    .option('--layers <n>', 'transformer blocks', whole(1), 4)
    .option('--dim <n>', 'width', whole(1), defaults.dim)
    .option('--heads <n>', 'attention heads', whole(1), 8)
    .option('--grid <n>', 'side of the grid of tokens', whole(1), defaults.grid)
    .option('--codes <n>', 'size of the codebook', whole(2), defaults.codes)
    .option('--batch <n>', 'pictures a step', whole(1), 4)
    .option('--rounds <n>', 'measured steps', whole(1), defaults.rounds);

/** What to compute with, by these options. */
export const engineOptions = ({ device = 'cpu', threads = defaultThreads() }: CommonOptions): EngineOptions => ({
  device,
  threads,
});

/** A whole number of at least `least`. */
export const whole =
  (least: number) =>
  (text: string): number => {
    const value = Number(text);
    if (!/^\d+$/.test(text) || value < least || !Number.isSafeInteger(value))
      throw new InvalidArgumentError(`give a whole number of at least ${least}.`);
    return value;
  };

/** A port to listen at; 0 is any that is free. */
export function port(text: string): number {
  const value = whole(0)(text);
  if (value > 65_535) throw new InvalidArgumentError('give a whole number from 0 to 65535.');
  return value;
}

/** A number of threads; 0 is one for each core. */
export function threadCount(text: string): number {
  const count = whole(0)(text);
  if (count > MOST_THREADS) throw new InvalidArgumentError(`give a whole number from 0 to ${MOST_THREADS}.`);
  return count;
}

/** A number in [least, most]. */
export const between =
  (least: number, most: number) =>
  (text: string): number => {
    const value = Number(text);
    if (text.trim() === '' || !(value >= least && value <= most))
      throw new InvalidArgumentError(`give a number from ${least} to ${most}.`);
    return value;
  };

const UNITS = { M: 1e6, G: 1e9, MiB: 2 ** 20, GiB: 2 ** 30 } as const;

/** An amount of memory: 1500M, 4G, 3.5G, 512MiB; in bytes. */
export function memorySize(text: string): number {
  const [, amount, decimal, binary] = /^(\d+(?:\.\d+)?)(?:(M|G)B?|(MiB|GiB))$/.exec(text) ?? [];
  const bytes = Number(amount) * UNITS[(decimal ?? binary) as keyof typeof UNITS];
  if (!(bytes > 0)) throw new InvalidArgumentError('give an amount such as 1500M or 4G.');
  return Math.round(bytes);
}

/** `key=value`, repeatable. */
export function assignment(text: string, previous: Readonly<Record<string, string>> = {}): Record<string, string> {
  const at = text.indexOf('=');
  if (at < 1) throw new InvalidArgumentError('write it as key=value.');
  return { ...previous, [text.slice(0, at)]: text.slice(at + 1) };
}

/**
 * An option for a setting of a schema: the schema describes it and says what it may be. `note` follows the description
 * in brackets.
 */
export function settingOption(flags: string, schema: z.ZodType, note: string): Option {
  const option = new Option(flags, `${schema.description} (${note})`);
  const choices = choicesOf(schema);
  return choices ? option.choices(choices) : option.argParser(settingValue(schema));
}

/** An option for values of a setting to try, separated by commas; it holds an array. */
export function settingListOption(flags: string, schema: z.ZodType, what: string): Option {
  const choices = choicesOf(schema);
  const read = settingValue(schema);
  return new Option(flags, choices ? `${what}: ${choices.join(', ')}` : what).argParser((text) => [
    ...new Set(text.split(',').map((item) => read(item.trim()))),
  ]);
}

/** The values of a setting that is one of several words. */
export function choicesOf(schema: z.ZodType): readonly string[] | undefined {
  const inner = schema instanceof z.ZodDefault ? schema.unwrap() : schema;
  return inner instanceof z.ZodEnum ? inner.options.map(String) : undefined;
}

/** Reads one value; the option's message says what the schema has against it. */
export function settingValue(schema: z.ZodType): (text: string) => unknown {
  const isWord = choicesOf(schema) !== undefined;
  return (text) => {
    const result = schema.safeParse(isWord || text.trim() === '' ? text : Number(text));
    if (result.success) return result.data;
    throw new InvalidArgumentError(`${JSON.stringify(text)}: ${complaintOf(result.error.issues[0]!)}.`);
  };
}
