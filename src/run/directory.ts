/** The run directory: where training keeps everything, and what `generate` loads. A run directory is a model. */

import { createHash } from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import { UserError } from '../base/errors.ts';
import type { NDArray, Tree } from '../base/ndarray.ts';
import { option, resumeCall } from '../base/options.ts';
import { flatten } from '../base/tree.ts';
import { assertFinite } from '../checkpoint/finite.ts';
import { readHashed, writeSafetensors } from '../checkpoint/safetensors.ts';
import type { Safetensors } from '../checkpoint/safetensors-bytes.ts';
import { hashWithoutTexts } from '../checkpoint/safetensors-hashes.ts';
import { sealed } from '../checkpoint/seal.ts';
import { makeFolder, writeFileAtomic, writeFileOnce } from '../files/atomic.ts';
import { linePieces } from '../files/lines.ts';
import { appendRegular } from '../files/regular-file.ts';
import { recipeIdentity } from '../recipe/identity.ts';
import type { RunSettings } from '../stage/context.ts';
import { fingerprint } from '../stage/fingerprint.ts';
import { lockRun } from './lock.ts';
import { LOGS, type LogName, trimLog } from './logs.ts';
import { MODELSPEC } from './modelspec.ts';
import { PROVENANCE } from './provenance.ts';
import { jsonText, RUN_FORMAT, RUN_VERSION, readSettings, SETTINGS_FILE, settingsText } from './settings-file.ts';

export type { RunSettings } from '../stage/context.ts';

/** Metadata of a model. */
const MODEL_TEXTS: readonly string[] = ['format', 'version', 'latents', ...PROVENANCE, ...MODELSPEC];
/** Metadata that does not count for the identity of a model. */
const NOT_HASHED: readonly string[] = [...PROVENANCE, ...MODELSPEC];
/** Folders that every run has from its beginning. Another stage's comes with its model. */
export const RUN_FOLDERS = ['tokenizer', 'diffusion', 'finetune', 'checkpoints', 'cache'] as const;

/** A run directory that exists, with its settings. */
export class RunDirectory {
  /** Hashes of stages' weights, each with the file that it was taken of. */
  private readonly hashes = new Map<string, { readonly file: string | undefined; readonly hash: string }>();

  private constructor(
    readonly path: string,
    readonly settings: RunSettings,
  ) {}

  /** @throws UserError if the folder already holds a run, or is a file. */
  static assertFree(folder: string): void {
    if (fs.existsSync(folder) && !fs.statSync(folder).isDirectory())
      throw new UserError(`${folder} is a file: name a new folder for the run`);
    if (RunDirectory.exists(folder))
      throw new UserError(
        `${folder} already holds a run: add ${option('resume')} to go on with it, or choose another folder`,
      );
  }

  /** @throws UserError if the folder already holds a run, or cannot be made. */
  static create(folder: string, settings: RunSettings): RunDirectory {
    RunDirectory.assertFree(folder);
    for (const sub of ['', ...RUN_FOLDERS]) makeFolder(path.join(folder, sub));
    const run = new RunDirectory(folder, settings);
    // Of two that begin the same run at once one succeeds.
    if (!writeFileOnce(run.file(SETTINGS_FILE), settingsText(folder, settings))) RunDirectory.assertFree(folder);
    return run;
  }

  /** A run that another process has begun or opened with these settings, for this one to read. */
  static joined(folder: string, settings: RunSettings): RunDirectory {
    return new RunDirectory(folder, settings);
  }

  /** @throws UserError if there is no run, or one of another version. */
  static open(folder: string): RunDirectory {
    if (!fs.existsSync(folder))
      throw new UserError(`There is no folder ${folder}: name a run directory made by clipvq train or clipvq demo`);
    if (!RunDirectory.exists(folder))
      throw new UserError(
        `${folder} is not a model: it has no run.json; name a run directory made by clipvq train or clipvq demo`,
      );
    return new RunDirectory(folder, readSettings(folder));
  }

  /**
   * The same run with other settings, which are written down.
   * @throws UserError if another process trains it.
   */
  changed(settings: RunSettings): RunDirectory {
    const run = new RunDirectory(this.path, settings);
    if (JSON.stringify(settings) === JSON.stringify(this.settings)) return run;
    const lock = lockRun(this.path);
    try {
      writeFileAtomic(this.file(SETTINGS_FILE), settingsText(this.path, settings));
    } finally {
      lock.release();
    }
    return run;
  }

  static exists(folder: string): boolean {
    return fs.existsSync(path.join(folder, SETTINGS_FILE));
  }

  file(...parts: string[]): string {
    return path.join(this.path, ...parts);
  }

  writeJson(name: string, value: unknown): void {
    writeFileAtomic(this.file(name), jsonText(value));
  }

  /** One JSON value a line. */
  writeLines(name: string, values: readonly unknown[]): void {
    writeFileAtomic(this.file(name), linePieces(values.map((value) => JSON.stringify(value))));
  }

  /** One line of the training log, or of another log of the run. */
  log(entry: Readonly<Record<string, unknown>>, name: LogName = 'log.jsonl'): void {
    appendRegular(this.file(name), `${JSON.stringify(entry)}\n`);
  }

  /**
   * Take the entries of a stage that come after `step` out of the logs, and what a killed run left of a line: a run
   * that goes on from there writes them again.
   */
  trimLog(stage: string, step: number): void {
    for (const name of LOGS) trimLog(this.file(name), stage, step);
  }

  /** Where the compact CLIP of this run lies. */
  get clipFolder(): string {
    return this.file('clip');
  }

  /**
   * Write a stage's trained parameters into the stage's folder, which is made where there is none.
   * @throws NotFinite if they hold NaN or infinity: the file that was there stays.
   */
  saveModel(stage: string, params: Tree<NDArray>, metadata: Readonly<Record<string, string>>): void {
    const tensors = flatten<NDArray>(params);
    for (const [name, array] of Object.entries(tensors)) assertFinite(array, `${name} of the ${stage} model`);
    const texts = { format: `${RUN_FORMAT} ${stage}`, version: `${RUN_VERSION}`, ...metadata };
    makeFolder(this.file(stage));
    writeSafetensors(this.file(stage, 'model.safetensors'), tensors, sealed(texts));
  }

  /** @throws UserError if the stage has not been trained yet, or its file is damaged or foreign. */
  readModel(stage: string): Safetensors {
    const file = this.file(stage, 'model.safetensors');
    if (!fs.existsSync(file))
      throw new UserError(`${this.path} holds no trained ${stage}: finish it with ${resumeCall(this.path)}`);
    const before = identityOf(file);
    const { hash, ...model } = readHashed(file, NOT_HASHED);
    this.hashes.set(stage, { file: before, hash });
    if (model.metadata.format !== `${RUN_FORMAT} ${stage}`)
      throw new UserError(
        `${file} was not written by this program: its metadata does not say "${RUN_FORMAT} ${stage}"`,
      );
    if (model.metadata.version !== `${RUN_VERSION}`)
      throw new UserError(
        `${file} is of format version ${model.metadata.version}; this program reads version ${RUN_VERSION}`,
      );
    // A checksum whose name is damaged would go unnoticed.
    const strange = Object.keys(model.metadata).find((key) => !MODEL_TEXTS.includes(key));
    if (strange !== undefined)
      throw new UserError(
        `${file} is damaged: its metadata holds ${JSON.stringify(strange)}, which this program does not write`,
      );
    return model;
  }

  /** The stage whose model generates: the second one where there has been one. */
  get denoiserStage(): 'diffusion' | 'finetune' {
    return this.hasModel('finetune') ? 'finetune' : 'diffusion';
  }

  /**
   * Put a stage's model aside, because what it was made from is no more: as `replaced.safetensors`, in the place of an
   * older one.
   */
  forgetModel(stage: string): void {
    if (this.hasModel(stage))
      fs.renameSync(this.file(stage, 'model.safetensors'), this.file(stage, 'replaced.safetensors'));
  }

  hasModel(stage: string): boolean {
    return fs.existsSync(stage === 'clip' ? this.file('clip', 'config.json') : this.file(stage, 'model.safetensors'));
  }

  /** Identity of everything that makes pictures: SHA-256 over the weights and the recipe, 16 hex digits. */
  modelHash(): string {
    return fingerprint(
      this.stageHash('tokenizer'),
      this.stageHash(this.denoiserStage),
      recipeIdentity(this.settings.recipe),
    );
  }

  /**
   * SHA-256 of a stage's trained weights, in hex: of their file without what it says of its making. Read in pieces,
   * since they may be larger than memory holds at once, unless the file was read before and is still the same.
   */
  stageHash(stage: string): string {
    const path = this.file(stage, 'model.safetensors');
    const file = identityOf(path);
    const known = this.hashes.get(stage);
    if (known?.file !== undefined && known.file === file) return known.hash;
    const sum = createHash('sha256');
    hashWithoutTexts(sum, path, NOT_HASHED);
    const hash = sum.digest('hex');
    this.hashes.set(stage, { file, hash });
    return hash;
  }
}

/**
 * Which file lies in a place: another one, or one that was written to, has another identity. Undefined where there is
 * none, or none that can be looked at: reading it says why.
 */
function identityOf(file: string): string | undefined {
  try {
    const { ino, size, mtimeNs } = fs.statSync(file, { bigint: true });
    return `${ino} ${size} ${mtimeNs}`;
  } catch {
    return undefined;
  }
}
