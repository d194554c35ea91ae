/**
 * The reporter of `npm run parity`: the table of all comparisons, then what was skipped and what broke. The command
 * fails on any difference, on anything missing or unchecked, and on any broken test.
 */
import { existsSync } from 'node:fs';
import type { Reporter, SerializedError, TestModule } from 'vitest/node';
import { FIXTURE_FILES, fixturePath } from './fixture-files.ts';
import { parityTable } from './parity-table.ts';

export default class ParityReporter implements Reporter {
  readonly #notes = new Set<string>();

  /** Tests say so where they leave something out. */
  onUserConsoleLog({ content }: { readonly content: string }): void {
    for (const line of content.split('\n')) if (/^(SKIPPED|PARTIAL)/.test(line)) this.#notes.add(line);
  }

  onTestRunEnd(modules: readonly TestModule[], unhandled: readonly SerializedError[]): void {
    const tests = modules.flatMap((module) => [...module.children.allTests()]);
    const rows = tests.flatMap((test) => test.meta().parity ?? []);
    const table = parityTable(FIXTURE_FILES, rows, (file) => existsSync(fixturePath(file)));
    console.log([table.text, ...[...this.#notes].sort()].join('\n'));

    const broken = [
      ...tests.map((test) => ({ name: test.fullName, errors: test.result().errors ?? [] })),
      ...modules.map((module) => ({ name: module.relativeModuleId, errors: module.errors() })),
      { name: 'outside the tests', errors: unhandled },
    ].filter(({ errors }) => errors.length > 0);
    for (const { name, errors } of broken) {
      console.log(`\nFAILED ${name}\n${errors.map(({ message }) => `  ${message}`).join('\n')}`);
    }
    if (!table.passed || broken.length > 0) process.exitCode = 1;
  }
}
