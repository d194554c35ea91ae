/** Checkpoints: the engine's whole state and the stage's own, so that a resumed run repeats what the whole run would have done. */

import fs from 'node:fs';
import { readSafetensors, writeSafetensors } from '../checkpoint/safetensors.ts';
import { UserError } from '../errors.ts';
import type { NDArray } from '../ndarray.ts';
import type { Engine } from '../runtime/engine.ts';
import { flatten, unflatten } from '../tree.ts';
import type { Stage } from './stage.ts';

const FORMAT = 'clip-vqdiffusion checkpoint';
const [DEVICE, HOST] = ['state.', 'host.'];

/** Write the stage's state after `step` steps; the file is whole or absent. */
export async function saveCheckpoint(file: string, engine: Engine, stage: Stage, step: number): Promise<void> {
  const tensors: Record<string, NDArray> = {};
  for (const path of stage.transient ?? []) await engine.drop(path);
  for (const [name, array] of Object.entries(flatten(await engine.read('')))) tensors[DEVICE + name] = array;
  for (const [name, array] of Object.entries(stage.hostState())) tensors[HOST + name] = array;
  writeSafetensors(file, tensors, {
    format: FORMAT,
    stage: stage.name,
    step: `${step}`,
    fingerprint: stage.fingerprint,
  });
}

/**
 * The checkpoint a stage can go on from, with the number of steps it has done. Undefined if there is none, or if it was made
 * from other data, settings or models than the stage now has.
 * @throws UserError if the file is damaged or not a checkpoint of this stage.
 */
function readCheckpoint(
  file: string,
  stage: Pick<Stage, 'name' | 'fingerprint'>,
): { tensors: Record<string, NDArray>; steps: number } | undefined {
  if (!fs.existsSync(file)) return undefined;
  const { tensors, metadata } = readSafetensors(file);
  if (metadata.format !== FORMAT || metadata.stage !== stage.name)
    throw new UserError(`${file} is not a checkpoint of the ${stage.name} stage`);
  return metadata.fingerprint === stage.fingerprint ? { tensors, steps: Number(metadata.step) } : undefined;
}

/** How many steps the stage's checkpoint has done. */
export const checkpointSteps = (file: string, stage: Pick<Stage, 'name' | 'fingerprint'>): number | undefined =>
  readCheckpoint(file, stage)?.steps;

/** Take up the stage's checkpoint, if it has one, and return the number of steps it has done. */
export async function resumeCheckpoint(file: string, engine: Engine, stage: Stage): Promise<number | undefined> {
  const found = readCheckpoint(file, stage);
  if (!found) return undefined;
  const part = (prefix: string) =>
    Object.fromEntries(
      Object.entries(found.tensors).flatMap(([name, array]) =>
        name.startsWith(prefix) ? [[name.slice(prefix.length), array]] : [],
      ),
    );
  await engine.drop('');
  await engine.load(unflatten(part(DEVICE)));
  stage.restore(part(HOST));
  return found.steps;
}
