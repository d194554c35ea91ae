/** What a tuning has measured, kept as it goes: an interrupted one goes on from there. */

import fs from 'node:fs';
import * as z from 'zod';
import type { TunedSettings } from '../evaluation/tune.ts';
import { writeFileAtomic } from '../files/atomic.ts';

const lineSchema = z.object({
  key: z.string(),
  settings: z.record(z.string(), z.number()),
  scores: z.array(z.number()),
});

/** Scores by key, in a file of one JSON value a line. A line that is damaged is left out and measured again. */
export class TuneRecord {
  private readonly lines = new Map<string, z.infer<typeof lineSchema>>();

  constructor(readonly file: string) {
    if (!fs.existsSync(file)) return;
    for (const text of fs.readFileSync(file, 'utf8').split('\n')) {
      const line = parsed(text);
      if (line) this.lines.set(line.key, line);
    }
  }

  get(key: string): Float64Array | undefined {
    const line = this.lines.get(key);
    return line && Float64Array.from(line.scores);
  }

  /** @throws UserError if it cannot be written. */
  add(key: string, settings: TunedSettings, scores: Float64Array): void {
    if (this.lines.has(key)) return;
    this.lines.set(key, { key, settings: { ...settings }, scores: [...scores] });
    writeFileAtomic(this.file, [...this.lines.values()].map((line) => `${JSON.stringify(line)}\n`).join(''));
  }
}

function parsed(text: string): z.infer<typeof lineSchema> | undefined {
  try {
    return lineSchema.safeParse(JSON.parse(text)).data;
  } catch {
    return undefined;
  }
}
