/** The run directory: where training keeps everything, and what `generate` loads. A run directory is a model. */

import { createHash } from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import { z } from 'zod';
import { UserError } from '../base/errors.ts';
import type { NDArray, Tree } from '../base/ndarray.ts';
import { flatten } from '../base/tree.ts';
import { makeFolder, sweepTemporaries, writeFileAtomic } from '../checkpoint/atomic.ts';
import { hashFile } from '../checkpoint/hash-file.ts';
import { appendRegular, readText } from '../checkpoint/regular-file.ts';
import { readSafetensors, writeSafetensors } from '../checkpoint/safetensors.ts';
import type { Safetensors } from '../checkpoint/safetensors-bytes.ts';
import { recipeIdentity } from '../recipe/identity.ts';
import { parseRecipe } from '../recipe/recipe.ts';
import type { RunSettings } from '../stage/context.ts';
import { fingerprint } from '../stage/fingerprint.ts';

export type { RunSettings } from '../stage/context.ts';

const FORMAT = 'clip-vqdiffusion run';
const VERSION = 1;
/** No settings fill more, in bytes. */
const MOST_SETTINGS = 2 ** 24;

const runSchema = z.object({
  format: z.literal(FORMAT),
  version: z.number(),
  seed: z.int().min(0),
  data: z.string(),
  clip: z.string(),
  recipe: z.unknown(),
});

export class RunDirectory {
  private constructor(
    readonly path: string,
    readonly settings: RunSettings,
  ) {}

  /** @throws UserError if the folder already holds a run. */
  static assertFree(folder: string): void {
    if (RunDirectory.exists(folder))
      throw new UserError(`${folder} already holds a run: add --resume to go on with it, or choose another folder`);
  }

  /** @throws UserError if the folder already holds a run, or cannot be made. */
  static create(folder: string, settings: RunSettings): RunDirectory {
    RunDirectory.assertFree(folder);
    for (const sub of ['', 'tokenizer', 'diffusion', 'finetune', 'checkpoints', 'cache'])
      makeFolder(path.join(folder, sub));
    const run = new RunDirectory(folder, settings);
    run.writeJson('run.json', { format: FORMAT, version: VERSION, ...settings });
    return run;
  }

  /** @throws UserError if there is no run, or one of another version. */
  static open(folder: string): RunDirectory {
    if (!fs.existsSync(folder))
      throw new UserError(`There is no folder ${folder}: name a run directory made by clipvq train or clipvq demo`);
    const file = path.join(folder, 'run.json');
    if (!fs.existsSync(file)) throw new UserError(`${folder} is not a model: it has no run.json`);
    sweepTemporaries(folder);
    const parsed = runSchema.safeParse(readJson(file));
    if (!parsed.success)
      throw new UserError(
        `${file} does not describe a run: ${parsed.error.issues[0]?.path.join('.')}: ${parsed.error.issues[0]?.message}`,
      );
    const { version, seed, data, clip, recipe } = parsed.data;
    if (version !== VERSION)
      throw new UserError(`${folder} is of format version ${version}; this program reads version ${VERSION}`);
    return new RunDirectory(folder, { seed, data, clip, recipe: parseRecipe(recipe, file) });
  }

  static exists(folder: string): boolean {
    return fs.existsSync(path.join(folder, 'run.json'));
  }

  file(...parts: string[]): string {
    return path.join(this.path, ...parts);
  }

  writeJson(name: string, value: unknown): void {
    writeFileAtomic(this.file(name), `${JSON.stringify(value, null, 2)}\n`);
  }

  /** One JSON value a line. */
  writeLines(name: string, values: readonly unknown[]): void {
    writeFileAtomic(this.file(name), values.map((value) => `${JSON.stringify(value)}\n`).join(''));
  }

  /** One line of the training log. */
  log(entry: Readonly<Record<string, unknown>>): void {
    appendRegular(this.file('log.jsonl'), `${JSON.stringify(entry)}\n`);
  }

  /** Where the compact CLIP of this run lies. */
  get clipFolder(): string {
    return this.file('clip');
  }

  /** Write a stage's trained parameters. */
  saveModel(stage: string, params: Tree<NDArray>, metadata: Readonly<Record<string, string>>): void {
    writeSafetensors(this.file(stage, 'model.safetensors'), flatten(params), {
      format: `${FORMAT} ${stage}`,
      version: `${VERSION}`,
      ...metadata,
    });
  }

  /** @throws UserError if the stage has not been trained yet, or its file is damaged or foreign. */
  readModel(stage: string): Safetensors {
    const file = this.file(stage, 'model.safetensors');
    if (!fs.existsSync(file))
      throw new UserError(
        `${this.path} holds no trained ${stage}: finish it with clipvq train --run ${this.path} --resume`,
      );
    const model = readSafetensors(file);
    if (model.metadata.format !== `${FORMAT} ${stage}`)
      throw new UserError(`${file} was not written by this program: its metadata does not say "${FORMAT} ${stage}"`);
    if (model.metadata.version !== `${VERSION}`)
      throw new UserError(
        `${file} is of format version ${model.metadata.version}; this program reads version ${VERSION}`,
      );
    return model;
  }

  /** The stage whose model generates: the second one where there has been one. */
  get denoiserStage(): 'diffusion' | 'finetune' {
    return this.hasModel('finetune') ? 'finetune' : 'diffusion';
  }

  /** Forget a stage's model, because what it was made from is no more. */
  forgetModel(stage: string): void {
    fs.rmSync(this.file(stage, 'model.safetensors'), { force: true });
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

  /** SHA-256 of a stage's trained weights, in hex; read in pieces, since they may be larger than memory holds at once. */
  stageHash(stage: string): string {
    const hash = createHash('sha256');
    hashFile(hash, this.file(stage, 'model.safetensors'));
    return hash.digest('hex');
  }
}

function readJson(file: string): unknown {
  try {
    return JSON.parse(readText(file, MOST_SETTINGS));
  } catch (error) {
    if (error instanceof SyntaxError) throw new UserError(`${file} is not valid JSON: ${error.message}`);
    throw error;
  }
}
