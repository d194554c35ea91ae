/** The checkpoint files of the fixtures, recognised by what is in them and not by their names. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { fixturePath } from './fixture-files.ts';

/** What the index says of a file. */
export interface IndexEntry {
  readonly format: string;
  readonly top_level: readonly string[];
  /** Path inside the file to type, shape, sum, and dot product with cos(i). */
  readonly tensors: Readonly<
    Record<string, readonly [dtype: string, shape: readonly number[], sum: number, dot: number]>
  >;
  /** Exact contents of small tensors, and of what is no tensor. */
  readonly values?: Readonly<Record<string, readonly number[]>>;
  readonly nested?: unknown;
}

/** A tokenizer's Lightning checkpoint; a solver's, in both formats; bare weights of the diffusion model. */
export type CheckpointRole = 'tokenizer' | 'solver' | 'legacy' | 'released';

const holds: Readonly<Record<CheckpointRole, (entry: IndexEntry) => boolean>> = {
  tokenizer: ({ top_level }) => top_level.includes('state_dict'),
  solver: ({ top_level, format }) => top_level.includes('model') && format === 'zip',
  legacy: ({ top_level, format }) => top_level.includes('model') && format === 'legacy',
  released: ({ top_level }) => top_level.includes('empty_text_embed'),
};

const INDEX = 'index.json';

/** By file name. */
export function checkpointIndex(): Readonly<Record<string, IndexEntry>> {
  return JSON.parse(readFileSync(fixturePath('checkpoints', INDEX), 'utf8')) as Record<string, IndexEntry>;
}

/** The file that plays a role, if there is one. */
export function checkpointFile(role: CheckpointRole): string | undefined {
  return Object.entries(checkpointIndex()).find(([, entry]) => holds[role](entry))?.[0];
}

/** Files that the index does not speak of: they ask for code to be run. */
export function hostileFiles(): string[] {
  const folder = fixturePath('checkpoints');
  if (!existsSync(folder)) return [];
  const known = new Set([INDEX, ...Object.keys(checkpointIndex())]);
  return readdirSync(folder).filter((name) => !known.has(name));
}
