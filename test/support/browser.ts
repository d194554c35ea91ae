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

const WITHOUT_GPU = ['--disable-gpu'];
/** WebGPU, on the software driver that Chromium brings. */
export const WITH_WEBGPU = ['--enable-unsafe-webgpu', '--use-webgpu-adapter=swiftshader', '--enable-features=Vulkan'];

/**
 * What Chromium starts beside a page, and no test looks at: two pages of its address bar, and a renderer in advance;
 * and what Playwright switches off, whose own list this one replaces.
 */
const WITHOUT_FEATURES = [
  ...['WebUIOmniboxPopup', 'WebUIOmniboxAimPopup', 'SpareRendererForSitePerProcess'],
  ...['AvoidUnnecessaryBeforeUnloadCheckSync', 'DestroyProfileOnBrowserClose', 'PaintHolding'],
  ...['HttpsUpgrades', 'HttpsFirstBalancedModeAutoEnable', 'ThirdPartyStoragePartitioning', 'MediaRouter'],
  ...['OptimizationHints', 'NetworkTimeServiceQuerying', 'AimEnabled', 'PreconnectToSearch', 'LensOverlay'],
];

/**
 * Opens one, by default without a GPU and its emulation. It compiles WebAssembly once and quickly: by default Chromium
 * compiles the functions of ONNX Runtime that a page runs often once more, and validates those too that none calls,
 * which takes longer than all that tests compute with it. Results are the same bits.
 */
export const openBrowser = (gpu: readonly string[] = WITHOUT_GPU): Promise<Browser> =>
  chromium.launch({
    executablePath: CHROMIUM,
    args: [
      '--no-sandbox',
      '--js-flags=--liftoff-only,--wasm-lazy-validation',
      `--disable-features=${WITHOUT_FEATURES.join(',')}`,
      ...gpu,
    ],
  });
