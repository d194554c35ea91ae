/** Debian's Chromium, for tests of pages. */

import { existsSync } from 'node:fs';
import { type Browser, chromium } from 'playwright-core';

const CHROMIUM = process.env.CLIPVQ_CHROMIUM ?? '/usr/bin/chromium';

/** Whether there is a browser; where there is none, the tests that are skipped are named. */
export function hasBrowser(skipped: string): boolean {
  const present = existsSync(CHROMIUM);
  if (!present) console.warn(`SKIPPED: ${skipped}, because there is no ${CHROMIUM} (Debian: apt-get install chromium)`);
  return present;
}

/**
 * Opens one that draws without a GPU's emulation, and compiles WebAssembly once and quickly: by default it compiles
 * ONNX Runtime in a page once more, which takes longer than all that tests compute with it. Results are the same bits.
 */
export const openBrowser = (): Promise<Browser> =>
  chromium.launch({
    executablePath: CHROMIUM,
    args: ['--no-sandbox', '--disable-gpu', '--js-flags=--no-wasm-tier-up'],
  });
