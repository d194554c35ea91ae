/**
 * What a trained file says of its making: the step, the identity of its checkpoint, and the hashes of what it was made
 * from.
 */

import { SEAL } from '../checkpoint/seal.ts';
import type { Lineage } from '../stage/stage.ts';

const STEP = 'step';
const FINGERPRINT = 'fingerprint';
const MADE_FROM = 'madeFrom';

/** Metadata that does not belong to a model's identity: equal weights have equal hashes however they came about. */
export const PROVENANCE: readonly string[] = [STEP, FINGERPRINT, MADE_FROM, SEAL];

/** How a file was made. */
export interface Provenance {
  readonly step: number;
  readonly fingerprint: string;
  readonly madeFrom: Lineage | undefined;
}

/** A file's metadata for its provenance. */
export const provenanceTexts = ({ step, fingerprint, madeFrom }: Provenance): Lineage => ({
  [STEP]: `${step}`,
  [FINGERPRINT]: fingerprint,
  ...(madeFrom && madeFromTexts(madeFrom)),
});

/** A file's metadata for the hashes of what it was made from. */
export const madeFromTexts = (madeFrom: Lineage): Lineage => ({ [MADE_FROM]: JSON.stringify(madeFrom) });

/** What metadata says of a file's making, or undefined where an earlier version wrote the file. */
export function provenanceOf(metadata: Lineage): Provenance | undefined {
  const { [STEP]: step, [FINGERPRINT]: fingerprint } = metadata;
  if (step === undefined || fingerprint === undefined) return undefined;
  return { step: Number(step), fingerprint, madeFrom: madeFromOf(metadata) };
}

/** The hashes of what a file was made from, or undefined where it does not say. */
export function madeFromOf({ [MADE_FROM]: text }: Lineage): Lineage | undefined {
  if (text === undefined) return undefined;
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value !== 'object' || value === null) return undefined;
    return Object.fromEntries(Object.entries(value).map(([name, hash]) => [name, String(hash)]));
  } catch {
    return undefined;
  }
}
