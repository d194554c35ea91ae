/** What the folder of downloads holds. */

import fs from 'node:fs';
import path from 'node:path';

export interface Cache {
  readonly folder: string;
  readonly writable: boolean;
  readonly bytes: number;
  /** Names of the CLIPs that are there whole. */
  readonly clips: readonly string[];
  /** Files of the weights of LPIPS. */
  readonly lpips: readonly string[];
}

/** The folder, or the nearest above it that exists. */
export const existing = (folder: string): string => (fs.existsSync(folder) ? folder : existing(path.dirname(folder)));

/** What the cache holds, and whether it can be written. */
export function inspectCache(folder: string): Cache {
  const files = filesUnder(folder);
  const inHub = (file: string) => /^hub[\\/](.+)[\\/][0-9a-f]{40}[\\/]\.complete$/.exec(file)?.[1];
  return {
    folder,
    writable: canWrite(existing(folder)),
    bytes: files.reduce((sum, { bytes }) => sum + bytes, 0),
    clips: [...new Set(files.flatMap(({ name }) => inHub(name)?.replaceAll('\\', '/') ?? []))].sort(),
    lpips: files.flatMap(({ name }) => (/^lpips[\\/].+\.pth$/.test(name) ? path.basename(name) : [])).sort(),
  };
}

function filesUnder(folder: string): { name: string; bytes: number }[] {
  try {
    return fs.readdirSync(folder, { recursive: true, encoding: 'utf8' }).flatMap((name) => {
      const stat = fs.statSync(path.join(folder, name), { throwIfNoEntry: false });
      return stat?.isFile() ? [{ name, bytes: stat.size }] : [];
    });
  } catch {
    return [];
  }
}

function canWrite(folder: string): boolean {
  try {
    fs.rmdirSync(fs.mkdtempSync(path.join(folder, '.clipvq-')));
    return true;
  } catch {
    return false;
  }
}
