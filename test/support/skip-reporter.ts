/** The end of `npm test`: every test that was skipped, by name, and why. */

import type { Reporter, TestModule, Vitest } from 'vitest/node';

export default class SkipReporter implements Reporter {
  private readonly notes = new Set<string>();
  private filtered = false;

  onInit(vitest: Vitest): void {
    this.filtered = vitest.config.testNamePattern !== undefined;
  }

  onUserConsoleLog({ content }: { readonly content: string }): void {
    for (const line of content.split('\n')) if (/^(SKIPPED|PARTIAL)/.test(line)) this.notes.add(line);
  }

  onTestRunEnd(modules: readonly TestModule[]): void {
    // With -t all but a few are skipped, for a reason that is known.
    if (this.filtered) return;
    const names = modules.flatMap((module) =>
      [...module.children.allTests('skipped')].map((test) => `  ${module.relativeModuleId} > ${test.fullName}`),
    );
    if (names.length === 0 && this.notes.size === 0) return;
    console.log([`Skipped tests: ${names.length}`, ...names.sort(), ...[...this.notes].sort(), ''].join('\n'));
  }
}
