/** What the inspection of every picture of a set has found. */

import fs from 'node:fs';
import path from 'node:path';
import * as z from 'zod';
import { UserError } from '../../base/errors.ts';
import { makeFolder, writeFileAtomic } from '../../files/atomic.ts';
import { readRegular, readText } from '../../files/regular-file.ts';
import type { DataCheck } from '../protocol.ts';
import { Missing } from '../refusals.ts';

const spread = z.object({ min: z.number(), median: z.number(), max: z.number() });
/** The document that `clipvq data check --json` prints, as far as it is shown. */
const reportSchema = z.object({
  accepted: z.number(),
  rejected: z.array(z.object({ path: z.string(), reason: z.string() })),
  reasons: z.array(z.object({ kind: z.string(), count: z.number() })),
  formats: z.record(z.string(), z.number()),
  aspects: z.array(z.object({ shape: z.string(), count: z.number() })),
  bytes: z.number(),
  width: spread,
  height: spread,
  tiny: z.object({ side: z.number(), names: z.array(z.string()) }),
  animated: z.array(z.string()),
  notSquare: z.object({ count: z.number(), cut: z.number() }),
  exactDuplicates: z.array(z.unknown()),
  nearDuplicates: z.array(z.unknown()),
});

/** Names of files that were left out, that are shown. */
const EXAMPLES = 20;
const ID = /^[0-9a-z]{4,32}$/;

/** The checks in a folder, one for each set of pictures, by the id of the set. */
export class Checks {
  readonly #folder: string;

  constructor(folder: string) {
    this.#folder = folder;
    makeFolder(folder);
  }

  /** Where the files of a check go. */
  folder(data: string): string {
    if (!ID.test(data)) throw new Missing('There is no such data');
    return path.join(this.#folder, data);
  }

  /** @throws UserError if the document is none. */
  save(data: string, result: unknown): void {
    const parsed = reportSchema.safeParse(result);
    if (!parsed.success) throw new UserError('The check has ended without a result: look at its log');
    const { rejected, reasons, formats, aspects, tiny, animated, exactDuplicates, nearDuplicates, ...rest } =
      parsed.data;
    const folder = this.folder(data);
    const check: DataCheck = {
      ...rest,
      ...{ data, time: new Date().toISOString() },
      rejected: reasons.map(({ kind, count }) => ({ what: kind, count })),
      formats: Object.entries(formats).map(([what, count]) => ({ what, count })),
      shapes: aspects.map(({ shape, count }) => ({ what: shape, count })),
      tiny: { side: tiny.side, count: tiny.names.length },
      ...{ animated: animated.length, exactDuplicates: exactDuplicates.length, nearDuplicates: nearDuplicates.length },
      examples: rejected.slice(0, EXAMPLES).map(({ path: name, reason }) => ({ name, reason })),
      hasSheet: fs.existsSync(path.join(folder, 'sheet.png')),
    };
    makeFolder(folder);
    writeFileAtomic(path.join(folder, 'check.json'), `${JSON.stringify(check)}\n`);
  }

  /** @throws Missing if there is none. */
  get(data: string): DataCheck {
    const file = path.join(this.folder(data), 'check.json');
    if (!fs.existsSync(file)) throw new Missing('These pictures have not been looked at: check them');
    // Our own file.
    return JSON.parse(readText(file)) as DataCheck;
  }

  /** @throws Missing if there is none. */
  sheet(data: string): Buffer {
    const file = path.join(this.folder(data), 'sheet.png');
    if (!fs.existsSync(file)) throw new Missing('There is no sheet of these pictures: check them');
    return readRegular(file);
  }
}
