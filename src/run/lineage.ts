/** What a trained file says of its making: the step, the identity of its checkpoint, and the hashes of what it was made from. */

import { UserError } from '../base/errors.ts';
import { readMetadata } from '../checkpoint/safetensors.ts';
import { SEAL } from '../checkpoint/seal.ts';
import type { Lineage, StageName } from '../stage/stage.ts';
import type { RunDirectory } from './directory.ts';

const STEP = 'step';
const FINGERPRINT = 'fingerprint';
const MADE_FROM = 'madeFrom';

/** Metadata that does not belong to a model's identity: equal weights have equal hashes however they came about. */
export const PROVENANCE: readonly string[] = [STEP, FINGERPRINT, MADE_FROM, SEAL];

/** What a file says of its making. */
export interface Provenance {
  readonly step: number;
  readonly fingerprint: string;
  readonly madeFrom: Lineage | undefined;
}

/** A file's metadata for its provenance. */
export const provenanceTexts = ({ step, fingerprint, madeFrom }: Provenance): Lineage => ({
  [STEP]: `${step}`,
  [FINGERPRINT]: fingerprint,
  ...(madeFrom && { [MADE_FROM]: JSON.stringify(madeFrom) }),
});

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

/** The file that holds a stage's trained weights. */
const modelFile = (run: RunDirectory, stage: StageName): string => run.file(stage, 'model.safetensors');

/** What a run's model says of its making. */
export const modelProvenance = (run: RunDirectory, stage: StageName): Provenance | undefined =>
  provenanceOf(readMetadata(modelFile(run, stage)));

/**
 * See that a stage's model was made from what lies beside it now: the tokenizer whose codes it learned, the diffusion model that
 * it was fine-tuned from and, if `clip` is given, the CLIP that it was conditioned on. What a file of an earlier version does not say is not checked.
 * @param clip identity of the CLIP that is open.
 * @throws UserError if one of them is another one.
 */
export function checkMadeFrom(run: RunDirectory, stage: 'diffusion' | 'finetune', clip?: string): void {
  const file = modelFile(run, stage);
  const madeFrom = madeFromOf(readMetadata(file));
  if (!madeFrom) return;
  const retrain = `train it anew with clipvq train --run ${run.path} --resume --stage ${stage} --changed restart`;
  for (const part of ['tokenizer', 'diffusion'] as const) {
    const made = madeFrom[part];
    if (made !== undefined && made !== run.stageHash(part))
      throw new UserError(
        `${file} belongs to another ${part} model than the one in ${run.file(part)}, and would make noise with it: ${retrain}, or put the old one back`,
      );
  }
  if (clip !== undefined && madeFrom.clip !== undefined && madeFrom.clip !== clip)
    throw new UserError(
      `${file} was trained with another CLIP than ${run.settings.clip === 'compact' ? run.clipFolder : run.settings.clip}: name the one it was trained with (--clip <folder or hub name>), or ${retrain}`,
    );
}
