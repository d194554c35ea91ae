/**
 * The software Vulkan driver that comes with Debian's chromium, for scripts that compute on WebGPU in a process of
 * their own.
 */

import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import path from 'node:path';
import { promisify } from 'node:util';
import { skipped } from './skip.ts';

const ICD = process.env.VK_ICD_FILENAMES ?? '/usr/lib/chromium/vk_swiftshader_icd.json';

/** Whether there is a driver; where there is none, the tests that are skipped are named. */
export function hasVulkan(what: string): boolean {
  return !skipped(!existsSync(ICD), what, 'no Vulkan driver was found (Debian: apt-get install chromium)');
}

/** What Node prints for these arguments, as JSON. */
export async function runOnVulkan(...args: readonly string[]): Promise<unknown> {
  // The folder of the driver also holds the Vulkan loader.
  const libraries = [path.dirname(ICD), process.env.LD_LIBRARY_PATH].filter(Boolean).join(':');
  const env = { ...process.env, VK_ICD_FILENAMES: ICD, LD_LIBRARY_PATH: libraries };
  const { stdout } = await promisify(execFile)(process.execPath, args, { env });
  return JSON.parse(stdout);
}
