/** Skipping a test says why: the end of `npm test` lists what was skipped (`skip-reporter.ts`). */

/** For `skipIf`: whether something that a test needs is missing; `what` is the test in a few words. */
export function skipped(missing: boolean, what: string, because: string): boolean {
  if (missing) console.warn(`SKIPPED: ${what}, because ${because}`);
  return missing;
}
