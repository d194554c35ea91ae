/** From a model directory of ours to checkpoints that the reference program loads. */

import { UserError } from '../base/errors.ts';
import type { Writable } from '../checkpoint/torch/pickle.ts';
import { writeTorch } from '../checkpoint/torch/write.ts';
import { scheduleOf } from '../diffusion/model.ts';
import type { TokenizerSettings } from '../recipe/schema.ts';
import type { RunDirectory } from '../run/directory.ts';
import { checkMadeFrom } from '../run/lineage.ts';
import { readBuffers, referenceBuffers } from './buffers.ts';

/**
 * Write the diffusion model as the released files are: one flat state dict that a strict `load_state_dict` of the
 * reference's DiffusionTransformer accepts, weights and buffers.
 *
 * @returns how many tensors there are.
 * @throws UserError if there is no trained diffusion model, or the disk refuses.
 */
export function exportDiffusion(run: RunDirectory, file: string): number {
  if (run.settings.recipe.diffusion.fold !== 1)
    throw new UserError(
      `${run.path}: the reference has no transformer that folds tokens: train one with diffusion.fold=1`,
    );
  const { tensors } = run.readModel(run.denoiserStage);
  checkMadeFrom(run, run.denoiserStage);
  const buffers = readBuffers(run, tensors) ?? referenceBuffers(scheduleOf(run.settings.recipe));
  const state = new Map<string, Writable>(Object.entries({ ...buffers, ...tensors }));
  writeTorch(file, state);
  return state.size;
}

/**
 * Write the tokenizer as its Lightning checkpoint: `{state_dict}` without the networks of its training loss, which the
 * reference does not ask for when it loads a tokenizer.
 *
 * @returns how many tensors there are.
 * @throws UserError if there is none, if it is built in a way that the reference's GumbelVQ cannot be, or the disk
 * refuses.
 */
export function exportTokenizer(run: RunDirectory, file: string): number {
  const strange = Object.entries(REFERENCE_TOKENIZER).find(
    ([name, value]) => run.settings.recipe.tokenizer[name as keyof typeof REFERENCE_TOKENIZER] !== value,
  );
  if (strange)
    throw new UserError(
      `${run.path}: the reference has no tokenizer with another ${strange[0]} than ${strange[1]}: train one with tokenizer.${strange[0]}=${strange[1]}`,
    );
  const { tensors } = run.readModel('tokenizer');
  const state = new Map<string, Writable>(Object.entries(tensors));
  writeTorch(file, new Map<string, Writable>([['state_dict', state]]));
  return state.size;
}

/** What is fixed in the reference's GumbelVQ. */
const REFERENCE_TOKENIZER = {
  patchSize: 1,
  normGroups: 32,
  middleAttention: true,
  normalizeLatents: false,
} as const satisfies Partial<TokenizerSettings>;
