/** Checkpoints: the engine's whole state and the stage's own, so that a resumed run repeats what the whole run would have done. */

import fs from 'node:fs';
import { UserError } from '../base/errors.ts';
import type { NDArray } from '../base/ndarray.ts';
import { flatten, type Leaf, unflatten } from '../base/tree.ts';
import { eachTensor, readMetadata, writeSafetensorsFrom } from '../checkpoint/safetensors.ts';
import type { Engine } from '../engine/engine.ts';
import type { Stage } from '../stage/stage.ts';

const FORMAT = 'clip-vqdiffusion checkpoint';
const [DEVICE, HOST] = ['state.', 'host.'];

/** Write the stage's state after `step` steps, tensor by tensor; the file is whole or absent. */
export async function saveCheckpoint(file: string, engine: Engine, stage: Stage, step: number): Promise<void> {
  const device = Object.entries(await engine.describe('')).filter(([path]) => !isTransient(stage, path));
  const host = stage.hostState();
  const named = <T>(prefix: string, entries: readonly (readonly [string, T])[]) =>
    entries.map(([name, value]) => [prefix + name, value] as const);
  const specs = Object.fromEntries<Leaf>([...named(DEVICE, device), ...named(HOST, Object.entries(host))]);
  const metadata = { format: FORMAT, stage: stage.name, step: `${step}`, fingerprint: stage.fingerprint };
  // From a device all comes at once: its copy is a program, and there would be one for each tensor.
  const isHere = device.every(([, { location }]) => location === 'cpu');
  const fetched = isHere ? {} : flatten(await engine.read(''));
  await writeSafetensorsFrom(file, specs, metadata, async (name) => {
    if (name.startsWith(HOST)) return host[name.slice(HOST.length)]!;
    const path = name.slice(DEVICE.length);
    return fetched[path] ?? ((await engine.read(path)) as NDArray);
  });
}

const isTransient = ({ transient = [] }: Pick<Stage, 'transient'>, path: string): boolean =>
  transient.some((part) => path === part || path.startsWith(`${part}.`));

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

/**
 * Take up the stage's checkpoint, if it has one, and return the number of steps it has done.
 * @throws UserError if its arrays have other shapes than the stage has prepared: another version of this program wrote it.
 */
export async function resumeCheckpoint(file: string, engine: Engine, stage: Stage): Promise<number | undefined> {
  const steps = checkpointSteps(file, stage);
  if (steps === undefined) return undefined;
  const prepared = await engine.describe('');
  // What is transient stays as the stage has prepared it.
  for (const path of Object.keys(prepared)) if (!isTransient(stage, path)) await engine.drop(path);
  const host: Record<string, NDArray> = {};
  await eachTensor(file, async (name, array) => {
    if (name.startsWith(HOST)) {
      host[name.slice(HOST.length)] = array;
      return;
    }
    const path = name.slice(DEVICE.length);
    const shape = prepared[path]?.shape;
    if (shape && shape.join() !== array.shape.join())
      throw new UserError(
        `${file}: ${path} is [${array.shape}] where this version needs [${shape}]: delete the file to begin the stage anew`,
      );
    await engine.load(unflatten({ [path]: array }));
  });
  stage.restore(host);
  return steps;
}
