/** Reports of `clipvq evaluate`, side by side: their numbers by path, whatever they measure. */

import fs from 'node:fs';
import path from 'node:path';
import * as z from 'zod';
import { makeFolder, writeFileAtomic } from '../../files/atomic.ts';
import { readRegular, readText } from '../../files/regular-file.ts';
import type { ReportFacts } from '../protocol.ts';
import { Missing } from '../refusals.ts';

const schema = z.object({ model: z.string(), data: z.string(), time: z.string() });
const ID = /^[0-9a-f]{12}$/;
/** Numbers of a report that are given; the rest is on its page. */
const MOST_NUMBERS = 500;
const MOST_PAGE = 2 ** 28;

/** The reports in a folder, by ids of 12 hex digits. */
export class Reports {
  readonly #folder: string;

  constructor(folder: string) {
    this.#folder = folder;
    makeFolder(folder);
  }

  /** Where the files of a report go. */
  folder(id: string): string {
    if (!ID.test(id)) throw new Missing('There is no such report');
    return path.join(this.#folder, id);
  }

  /** Where the output of the command goes that makes a report. */
  log(id: string): string {
    return `${this.folder(id)}.log`;
  }

  /** Where the prompts are that its pictures are drawn for. */
  prompts(id: string): string {
    return `${this.folder(id)}.txt`;
  }

  /** Say what a report is about, once it is written. */
  note(id: string, facts: Pick<ReportFacts, 'model' | 'data'>): void {
    const text = `${JSON.stringify({ ...facts, time: new Date().toISOString() })}\n`;
    writeFileAtomic(path.join(this.folder(id), 'about.json'), text);
  }

  /** The newest first. */
  list(): ReportFacts[] {
    const names = fs.readdirSync(this.#folder).filter((name) => ID.test(name));
    return names.flatMap((id) => this.#read(id) ?? []).sort((a, b) => b.time.localeCompare(a.time));
  }

  /** The report as a page. @throws Missing if there is none. */
  page(id: string): Buffer {
    const file = path.join(this.folder(id), 'report.html');
    if (!fs.existsSync(file)) throw new Missing('There is no such report: it may have been deleted');
    return readRegular(file, MOST_PAGE);
  }

  /** Delete a report, its log and its prompts. @throws Missing if there is none. */
  remove(id: string): void {
    if (!fs.existsSync(this.folder(id))) throw new Missing('There is no such report: it may have been deleted');
    fs.rmSync(this.folder(id), { recursive: true, force: true });
    for (const beside of [this.log(id), this.prompts(id)]) fs.rmSync(beside, { force: true });
  }

  #read(id: string): ReportFacts | undefined {
    const file = (name: string) => path.join(this.folder(id), name);
    try {
      const about = schema.parse(JSON.parse(readText(file('about.json'), 2 ** 16)));
      const numbers = Object.fromEntries(numbersIn(JSON.parse(readText(file('report.json')))).slice(0, MOST_NUMBERS));
      return { id, ...about, numbers, hasPage: fs.existsSync(file('report.html')) };
    } catch {
      // It is not finished, or a kill has left a part of it.
      return undefined;
    }
  }
}

/** The numbers of a document by their paths; in lists only those of entries that name the features they are of. */
function numbersIn(value: unknown, at: readonly string[] = []): (readonly [string, number])[] {
  if (typeof value === 'number') return Number.isFinite(value) ? [[at.join('.'), value]] : [];
  if (typeof value !== 'object' || value === null) return [];
  if (Array.isArray(value)) return value.flatMap((one) => numbersIn(one, [...at, featuresOf(one)])).filter(isNamed);
  return Object.entries(value).flatMap(([key, inner]) => numbersIn(inner, [...at, key]));
}

const NAMELESS = '';

/** What an entry calls its features, without the dots that part a path. */
function featuresOf(entry: unknown): string {
  const name: unknown = typeof entry === 'object' && entry !== null && 'features' in entry ? entry.features : NAMELESS;
  return typeof name === 'string' ? name.replaceAll('.', ' ') : NAMELESS;
}

const isNamed = ([path]: readonly [string, number]): boolean => !path.split('.').includes(NAMELESS);
