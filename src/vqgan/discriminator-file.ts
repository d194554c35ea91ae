/** The tokenizer's discriminator in a run directory, beside the tokenizer, for training it further. */

import type { NDArray } from '../base/ndarray.ts';
import { flatten } from '../base/tree.ts';
import { writeSafetensors } from '../checkpoint/safetensors.ts';
import type { RunFiles } from '../stage/context.ts';
import type { TrainedDiscriminator } from './discriminator.ts';

/** Its place in a run directory. */
export const DISCRIMINATOR_FILE = ['tokenizer', 'discriminator.safetensors'] as const;

/** Write the discriminator of a trained tokenizer. @throws UserError when the disk refuses. */
export function saveDiscriminator(run: Pick<RunFiles, 'file'>, { params, buffers }: TrainedDiscriminator): void {
  writeSafetensors(run.file(...DISCRIMINATOR_FILE), { ...flatten<NDArray>(params), ...flatten<NDArray>(buffers) }, {});
}
