/** Ranks that work together run the same program: other files of it would compute something else, unnoticed. */

import { createHash } from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import { firstOther, gatherTexts, type Ranks } from '../mpi/ranks.ts';

/**
 * SHA-256 over the program's modules below a folder, 12 hex digits: without pages and the command's bundle, which is
 * made of them.
 */
export function programHash(folder: string): string {
  const hash = createHash('sha256');
  const names = fs.readdirSync(folder, { recursive: true, encoding: 'utf8' });
  for (const name of names.map((one) => one.split(path.sep).join('/')).sort())
    if (name.endsWith('.js') && !/^(?:pages|command)\//.test(name))
      hash.update(`${name}\n`).update(fs.readFileSync(path.join(folder, name)));
  return hash.digest('hex').slice(0, 12);
}

/** The first rank whose program is not that of rank 0, in a sentence; undefined if there is none. */
export async function otherProgram(
  ranks: Ranks,
  hash: string,
  nameOf: (rank: number) => string,
): Promise<string | undefined> {
  const all = await gatherTexts(ranks, hash);
  const other = firstOther(all);
  if (other < 0) return undefined;
  return `${nameOf(other)} runs another version of this program (${all[other]}) than rank 0 (${all[0]}): install the same one on all machines`;
}
