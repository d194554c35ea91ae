/**
 * Checkpoints: the engine's whole state and the stage's own, so that a resumed run repeats what the whole run would
 * have done. The last two of a stage are kept: a file is the newest, and `NAME.previous` the one before.
 */

import fs from 'node:fs';
import { UserError } from '../../base/errors.ts';
import type { NDArray } from '../../base/ndarray.ts';
import { flatten, type Leaf, unflatten } from '../../base/tree.ts';
import { assertFinite } from '../../checkpoint/finite.ts';
import { eachTensor, readMetadata, writeSafetensorsFrom } from '../../checkpoint/safetensors.ts';
import { sealed } from '../../checkpoint/seal.ts';
import type { Engine } from '../../engine/engine.ts';
import type { RunDirectory } from '../../run/directory.ts';
import { madeFromOf, PROVENANCE, provenanceTexts } from '../../run/provenance.ts';
import type { Lineage, Stage } from '../../stage/stage.ts';

const FORMAT = 'clip-vqdiffusion checkpoint';
const [DEVICE, HOST] = ['state.', 'host.'];

/** Metadata of a checkpoint. */
const CHECKPOINT_TEXTS: readonly string[] = ['format', 'stage', 'guard', 'threads', 'enough', ...PROVENANCE];

/** The facts in a checkpoint's metadata. */
export interface CheckpointFacts {
  readonly step: number;
  readonly fingerprint: string;
  /** Undefined where an earlier version wrote it. */
  readonly madeFrom: Lineage | undefined;
  /** The state of the guard (`Guard.save`). */
  readonly guard: string | undefined;
  /** Threads that it was computed with. */
  readonly threads: number | undefined;
  /** Whether the stage ended there, before its last step. */
  readonly enough: boolean;
}

/**
 * Which checkpoint stays beside a new one: the newest so far, the one before it (where the newest is at fault), or
 * none.
 */
export type Keeping = 'newest' | 'previous' | 'none';

/** Enough of a stage to find its checkpoints. */
export type Checkpointed = Pick<Stage, 'name' | 'steps'>;

/** The places of a stage's checkpoints, the newest first. */
export const checkpointFiles = (run: RunDirectory, { name }: Pick<Stage, 'name'>): readonly [string, string] => [
  run.file('checkpoints', `${name}.safetensors`),
  run.file('checkpoints', `${name}.previous.safetensors`),
];

/**
 * Write the stage's state after `step` steps, tensor by tensor; the file is whole or absent, and the one before it
 * stays as the previous one.
 * @throws NotFinite if the state holds NaN or infinity: nothing has changed on the disk then.
 */
export async function saveCheckpoint(
  [file, previous]: readonly [string, string],
  engine: Engine,
  stage: Stage,
  { step, guard, threads, enough }: Pick<CheckpointFacts, 'step' | 'guard' | 'threads' | 'enough'>,
  keeping: Keeping = 'newest',
): Promise<void> {
  const device = Object.entries(await engine.describe('')).filter(([path]) => !isTransient(stage, path));
  const host = stage.hostState();
  const named = <T>(prefix: string, entries: readonly (readonly [string, T])[]) =>
    entries.map(([name, value]) => [prefix + name, value] as const);
  const specs = Object.fromEntries<Leaf>([...named(DEVICE, device), ...named(HOST, Object.entries(host))]);
  const { name, fingerprint, madeFrom } = stage;
  const metadata = {
    format: FORMAT,
    stage: name,
    ...provenanceTexts({ step, fingerprint, madeFrom }),
    ...(guard !== undefined && { guard }),
    ...(threads !== undefined && { threads: `${threads}` }),
    ...(enough && { enough: 'true' }),
  };
  // From a device all comes at once: its copy is a program, and there would be one for each tensor.
  const isHere = device.every(([, { location }]) => location === 'cpu');
  const fetched = isHere ? {} : flatten(await engine.read(''));
  const read = async (tensor: string): Promise<NDArray> => {
    // A history of losses may hold infinities: whether training is sound is checked on the weights.
    if (tensor.startsWith(HOST)) return host[tensor.slice(HOST.length)]!;
    const path = tensor.slice(DEVICE.length);
    const array = fetched[path] ?? ((await engine.read(path)) as NDArray);
    assertFinite(array, `${path} of the ${name} stage`);
    return array;
  };
  const beforeCommit = () => {
    if (keeping === 'none') fs.rmSync(previous, { force: true });
    if (keeping === 'newest') keepPrevious(file, previous);
  };
  await writeSafetensorsFrom(file, specs, sealed(metadata), read, { beforeCommit });
}

/** The newest checkpoint becomes the previous one and stays until the next has taken its place. */
function keepPrevious(file: string, previous: string): void {
  if (!fs.existsSync(file)) return;
  fs.rmSync(previous, { force: true });
  try {
    fs.linkSync(file, previous);
  } catch {
    // A file system without links.
    fs.renameSync(file, previous);
  }
}

const isTransient = ({ transient = [] }: Pick<Stage, 'transient'>, path: string): boolean =>
  transient.some((part) => path === part || path.startsWith(`${part}.`));

/**
 * The facts in a checkpoint's metadata; undefined if there is no file. Only the header is read.
 * @throws UserError if the file is damaged or not a checkpoint of this stage.
 */
export function checkpointFacts(file: string, stage: Checkpointed): CheckpointFacts | undefined {
  if (!fs.existsSync(file)) return undefined;
  const metadata = readMetadata(file);
  if (metadata.format !== FORMAT || metadata.stage !== stage.name)
    throw new UserError(`${file} is not a checkpoint of the ${stage.name} stage`);
  // A checksum whose name is damaged would go unnoticed.
  const strange = Object.keys(metadata).find((key) => !CHECKPOINT_TEXTS.includes(key));
  if (strange !== undefined) throw new UserError(`${file} is damaged: its metadata holds ${JSON.stringify(strange)}`);
  const { step: text, fingerprint = '', guard, threads, enough } = metadata;
  const step = Number(text);
  if (text === undefined || !/^\d+$/.test(text) || !Number.isSafeInteger(step))
    throw new UserError(`${file} is damaged: it says that it is of step ${text}`);
  const count = Number(threads);
  return {
    step,
    fingerprint,
    madeFrom: madeFromOf(metadata),
    guard,
    threads: count > 0 ? count : undefined,
    enough: enough === 'true',
  };
}

/**
 * Take up a checkpoint: the engine's state, which the stage has prepared, and the stage's own.
 * @throws UserError if the file is damaged, lacks something, or its arrays have other shapes than the stage has
 * prepared: another version of this program wrote it. Part of the state may have been replaced then.
 */
export async function loadCheckpoint(file: string, engine: Engine, stage: Stage): Promise<void> {
  const prepared = await engine.describe('');
  const missing = new Set(Object.keys(prepared).filter((path) => !isTransient(stage, path)));
  const host: Record<string, NDArray> = {};
  await eachTensor(file, async (name, array) => {
    if (name.startsWith(HOST)) {
      host[name.slice(HOST.length)] = array;
      return;
    }
    const path = name.slice(DEVICE.length);
    assertFinite(array, `${file}: ${path}`);
    const wanted = prepared[path];
    if (wanted && wanted.shape.join() !== array.shape.join())
      throw new UserError(`${file}: ${path} is [${array.shape}] where this version needs [${wanted.shape}]`);
    if (wanted && wanted.dtype !== array.dtype)
      throw new UserError(`${file} is damaged: ${path} is ${array.dtype} where this version needs ${wanted.dtype}`);
    // What is transient stays as the stage has prepared it.
    if (missing.delete(path)) await engine.drop(path);
    await engine.load(unflatten({ [path]: array }));
  });
  const [lacking] = missing;
  if (lacking !== undefined) throw new UserError(`${file} lacks ${lacking}: it is damaged, or of another version`);
  stage.restore(host);
}
