import fs from 'node:fs';
import { expect, it } from 'vitest';
import { codeOf, importClosure, importsOf } from '../../test/support/imports.ts';
import { option, resumeCall } from '../base/options.ts';
import { withFlags } from './flags.ts';

it('writes options as flags, with their values', () => {
  expect(withFlags(`add ${option('resume')} or ${option('stages', 'clip')}, or ${option('threads', 2)}`)).toBe(
    'add --resume or --stage clip, or --threads 2',
  );
  expect(withFlags(`leave ${option('imageSize')} out`)).toBe('leave --image-size out');
});

it('writes a call as the command that does the same', () => {
  const call = resumeCall('my "best" run, 2', { stages: 'diffusion', changed: 'restart' });
  expect(withFlags(`train it anew with ${call}, or not`)).toBe(
    'train it anew with clipvq train --run my "best" run, 2 --resume --stage diffusion --changed restart, or not',
  );
});

it('leaves other text between backquotes as it is', () => {
  const text = 'a `hat` and `train({ })` and `stages of life`';
  expect(withFlags(text)).toBe(text);
});

it('knows the flag of every option that a message names', () => {
  const sources = fs
    .readdirSync('src', { recursive: true, encoding: 'utf8' })
    .filter((file) => /(?<!\.test)\.ts$/.test(file));
  const named = sources.flatMap((file) => {
    const text = fs.readFileSync(`src/${file}`, 'utf8');
    return [...text.matchAll(/\boption\('(\w+)'/g)].map((match) => match[1]!);
  });
  expect(named.filter((name) => withFlags(option(name)) === option(name))).toEqual([]);
  expect(named).toContain('resume');
});

/** The long flag of an option, where a command declares it. */
const DECLARED =
  /(?:\.(?:option|requiredOption)|new Option|hiddenOption|settingOption)\(\s*['"](?:-\w, )?--(?:no-)?([a-z0-9-]+)/g;

it('every option that a command declares is read by what the command loads', () => {
  const commands = importsOf('src/cli/commands.ts').filter(({ isLate }) => isLate);
  const unread = commands.flatMap(({ target }) => {
    // Options that commands share are read by those that take them.
    const files = importClosure([`src/cli/${target}`]).files.filter((file) => /^src\/cli\/(?!options)/.test(file));
    const code = files.map(codeOf).join('\n');
    const isRead = (name: string) =>
      new RegExp(`\\b${name.replace(/-(\w)/g, (_, letter: string) => letter.toUpperCase())}\\b`).test(code);
    const declared = files.flatMap((file) => [...fs.readFileSync(file, 'utf8').matchAll(DECLARED)]);
    return declared.flatMap(([, name]) => (isRead(name!) ? [] : [`${target} --${name}`]));
  });
  expect(unread).toEqual([]);
  expect(commands.length).toBeGreaterThan(10);
});
