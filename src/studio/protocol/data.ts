/** What can be trained on, and what training costs. */

import type { Time } from './basics.ts';

export interface DataEntry {
  readonly id: string;
  readonly name: string;
  /** `folder` and `archive` lie under a root, `set` was uploaded, `builtin` is drawn. */
  readonly kind: 'folder' | 'archive' | 'set' | 'builtin';
  /** Files that are named like pictures; undefined where they were not counted. */
  readonly pictures: number | undefined;
  readonly bytes: number | undefined;
}

export interface DataList {
  readonly builtin: readonly DataEntry[];
  readonly sets: readonly DataEntry[];
  /** Folders that the server was given with --data. */
  readonly roots: readonly DataEntry[];
}

export interface DataFolder {
  readonly folder: DataEntry;
  /** From the root down, without the folder itself. */
  readonly above: readonly DataEntry[];
  readonly entries: readonly DataEntry[];
  /** Whether there were more than are listed. */
  readonly isCut: boolean;
}

export interface Counted {
  readonly what: string;
  readonly count: number;
}

export interface DataCheck {
  readonly data: string;
  readonly time: Time;
  /** Pictures that can be used. */
  readonly accepted: number;
  /** Files that cannot, by reason. */
  readonly rejected: readonly Counted[];
  readonly formats: readonly Counted[];
  readonly shapes: readonly Counted[];
  readonly bytes: number;
  readonly width: Spread;
  readonly height: Spread;
  /** Pictures with a short side of less than `side` pixels. */
  readonly tiny: { readonly side: number; readonly count: number };
  readonly animated: number;
  readonly notSquare: { readonly count: number; readonly cut: number };
  /** Groups that are equal byte for byte, and that look the same. */
  readonly exactDuplicates: number;
  readonly nearDuplicates: number;
  /** The first names of what was left out, with the reason. */
  readonly examples: readonly { readonly name: string; readonly reason: string }[];
  readonly hasSheet: boolean;
}

export interface Spread {
  readonly min: number;
  readonly median: number;
  readonly max: number;
}

export interface PresetList {
  readonly presets: readonly PresetFacts[];
  /** Of this machine, relative to the reference machine. */
  readonly speed: number;
  /** Paths that `TrainRequest.changes` may name, with one line each. */
  readonly settings: readonly { readonly name: string; readonly description: string }[];
}

export interface PresetFacts {
  readonly name: string;
  readonly imageSize: number;
  readonly grid: number;
  readonly codes: number;
  /** Million parameters. */
  readonly parameters: number;
  /** Seconds, with the pictures of `data` where it was named. */
  readonly seconds: number;
  readonly range: readonly [number, number];
  readonly memoryGB: number;
  readonly stages: readonly { readonly stage: string; readonly steps: number; readonly seconds: number }[];
}
