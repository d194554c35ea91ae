/**
 * Whether the files of a run belong together: each names what it was made from, and a pair is checked when it is read.
 */

import { UserError, unlessRefused } from '../base/errors.ts';
import { option, resumeCall } from '../base/options.ts';
import { readMetadata } from '../checkpoint/safetensors.ts';
import type { RunDirectory } from './directory.ts';
import { madeFromOf, type Provenance, provenanceOf } from './provenance.ts';

/** The file that holds a stage's trained weights. */
const modelFile = (run: RunDirectory, stage: string): string => run.file(stage, 'model.safetensors');

/** The provenance of a run's model, by its metadata. */
export const modelProvenance = (run: RunDirectory, stage: string): Provenance | undefined =>
  provenanceOf(readMetadata(modelFile(run, stage)));

/**
 * See that a stage's model was made from what lies beside it now: the tokenizer whose codes it learned, the diffusion
 * model that it was fine-tuned from and, if `clip` is given, the CLIP that it was conditioned on. What a file of an
 * earlier version does not say is not checked.
 * @param clip identity of the CLIP that is open.
 * @throws UserError if one of them is another one.
 */
export function checkMadeFrom(run: RunDirectory, stage: 'diffusion' | 'finetune', clip?: string): void {
  const file = modelFile(run, stage);
  const madeFrom = madeFromOf(readMetadata(file));
  if (!madeFrom) return;
  const retrain = `train it anew with ${resumeCall(run.path, { stages: stage, changed: 'restart' })}`;
  for (const part of ['tokenizer', 'diffusion'] as const) {
    const made = madeFrom[part];
    if (made !== undefined && run.hasModel(part) && made !== run.stageHash(part))
      throw new UserError(
        `${file} belongs to another ${part} model than the one in ${run.file(part)}, and would make noise with it: ${retrain}, or put the old one back`,
      );
  }
  if (clip !== undefined && madeFrom.clip !== undefined && madeFrom.clip !== clip)
    throw new UserError(
      `${file} was trained with another CLIP than ${run.settings.clip === 'compact' ? run.clipFolder : run.settings.clip}: name the one it was trained with (${option('clip')}, a folder or hub name), or ${retrain}`,
    );
}

/** Whether `checkMadeFrom` has nothing against a model. */
export const isMadeFrom = (run: RunDirectory, stage: 'diffusion' | 'finetune'): boolean =>
  unlessRefused(() => {
    checkMadeFrom(run, stage);
    return true;
  }) ?? false;
