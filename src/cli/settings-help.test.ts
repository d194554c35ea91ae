import { Command } from 'commander';
import { expect, it } from 'vitest';
import { UserError } from '../base/errors.ts';
import { settingSchemas } from '../recipe/schema.ts';
import { assignment } from './options.ts';
import { settingsHelp } from './settings-help.ts';

function help(width: number, ...words: string[]): string {
  const command = new Command('train').option('--preset <name>').option('--set <key=value>', '', assignment);
  command.configureOutput({ getOutHelpWidth: () => width });
  command.parseOptions(words);
  return settingsHelp({ command });
}

it('shows every setting with its value in the preset that is named, and with changes', () => {
  for (const path of settingSchemas.keys()) expect(help(120)).toContain(`  ${path}=`);
  expect(help(120)).toMatch(/preset nano:[\s\S]*diffusion\.layers=4 /);
  expect(help(120, '--preset', 'base')).toMatch(/preset base:[\s\S]*diffusion\.layers=6 /);
  expect(help(120, '--preset', 'base', '--set', 'diffusion.layers=7')).toMatch(/diffusion\.layers=7 /);
  expect(() => help(120, '--preset', 'bass')).toThrow(UserError);
});

it('describes every setting, in lines no wider than the terminal', () => {
  for (const [path, schema] of settingSchemas) expect(schema.description, path).toBeTruthy();
  const lines = help(100).split('\n');
  expect(Math.max(...lines.map((line) => line.length))).toBeLessThanOrEqual(100);
});
