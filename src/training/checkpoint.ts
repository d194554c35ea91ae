/** Checkpoints: the engine's whole state and the stage's own, so that a resumed run repeats what the whole run would have done. */

import fs from 'node:fs';
import { readMetadata, readSafetensors, writeSafetensors } from '../checkpoint/safetensors.ts';
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
 * How many steps the checkpoint has done that a stage can go on from. Undefined if there is none, or if it was made from other
 * data, settings or models than the stage now has. Of the file only the header is read.
 * @throws UserError if the file is damaged or not a checkpoint of this stage.
 */
export function checkpointSteps(file: string, stage: Pick<Stage, 'name' | 'fingerprint'>): number | undefined {
  if (!fs.existsSync(file)) return undefined;
  const metadata = readMetadata(file);
  if (metadata.format !== FORMAT || metadata.stage !== stage.name)
    throw new UserError(`${file} is not a checkpoint of the ${stage.name} stage`);
  return metadata.fingerprint === stage.fingerprint ? Number(metadata.step) : undefined;
}

/** Take up the stage's checkpoint, if it has one, and return the number of steps it has done. */
export async function resumeCheckpoint(file: string, engine: Engine, stage: Stage): Promise<number | undefined> {
  const steps = checkpointSteps(file, stage);
  if (steps === undefined) return undefined;
  const { tensors } = readSafetensors(file);
  const part = (prefix: string) =>
    Object.fromEntries(
      Object.entries(tensors).flatMap(([name, array]) =>
        name.startsWith(prefix) ? [[name.slice(prefix.length), array]] : [],
      ),
    );
  await engine.drop('');
  await engine.load(unflatten(part(DEVICE)));
  stage.restore(part(HOST));
  return steps;
}
