/** The run directory: where training keeps everything, and what `generate` loads. A run directory is a model. */

import { createHash } from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import { z } from 'zod';
import { UserError } from '../base/errors.ts';
import type { NDArray, Tree } from '../base/ndarray.ts';
import { flatten } from '../base/tree.ts';
import { sweepTemporaries, writeFileAtomic } from '../checkpoint/atomic.ts';
import { fileError } from '../checkpoint/file-errors.ts';
import { hashFile } from '../checkpoint/hash-file.ts';
import { readSafetensors, writeSafetensors } from '../checkpoint/safetensors.ts';
import type { Safetensors } from '../checkpoint/safetensors-bytes.ts';
import { recipeIdentity } from '../recipe/identity.ts';
import { parseRecipe } from '../recipe/recipe.ts';
import type { Recipe } from '../recipe/schema.ts';
import type { StageName } from '../stage/stage.ts';

const FORMAT = 'clip-vqdiffusion run';
const VERSION = 1;

const runSchema = z.object({
  format: z.literal(FORMAT),
  version: z.number(),
  seed: z.int().min(0),
  data: z.string(),
  clip: z.string(),
  recipe: z.unknown(),
});

/** What a run was started with. */
export interface RunSettings {
  readonly seed: number;
  /** A folder of pictures, or `faces`. */
  readonly data: string;
  /** `compact` for the CLIP trained in this run, else a folder or hub name that @huggingface/transformers loads. */
  readonly clip: string;
  readonly recipe: Recipe;
}

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
    try {
      for (const sub of ['', 'tokenizer', 'diffusion', 'finetune', 'checkpoints', 'cache'])
        fs.mkdirSync(path.join(folder, sub), { recursive: true });
    } catch (error) {
      throw fileError('create', folder, error);
    }
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

  /** What `writeLines` wrote; nothing where there is no such file. */
  readLines(name: string): unknown[] {
    if (!fs.existsSync(this.file(name))) return [];
    const lines = fs.readFileSync(this.file(name), 'utf8').split('\n');
    return lines.filter((line) => line !== '').map((line) => JSON.parse(line));
  }

  /** One line of the training log. */
  log(entry: Readonly<Record<string, unknown>>): void {
    try {
      fs.appendFileSync(this.file('log.jsonl'), `${JSON.stringify(entry)}\n`);
    } catch (error) {
      throw fileError('write', this.file('log.jsonl'), error);
    }
  }

  /** Where the compact CLIP of this run lies. */
  get clipFolder(): string {
    return this.file('clip');
  }

  /** Write a stage's trained parameters. */
  saveModel(stage: StageName, params: Tree<NDArray>, metadata: Readonly<Record<string, string>>): void {
    writeSafetensors(this.file(stage, 'model.safetensors'), flatten(params), {
      format: `${FORMAT} ${stage}`,
      version: `${VERSION}`,
      ...metadata,
    });
  }

  /** @throws UserError if the stage has not been trained yet, or its file is damaged or foreign. */
  readModel(stage: StageName): Safetensors {
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
  forgetModel(stage: StageName): void {
    fs.rmSync(this.file(stage, 'model.safetensors'), { force: true });
  }

  hasModel(stage: StageName): boolean {
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
  stageHash(stage: StageName): string {
    const hash = createHash('sha256');
    hashFile(hash, this.file(stage, 'model.safetensors'));
    return hash.digest('hex');
  }
}

/** SHA-256 of texts and arrays, 16 hex digits: the identity of a stage's inputs. */
export function fingerprint(...parts: readonly (string | Uint8Array)[]): string {
  const hash = createHash('sha256');
  for (const part of parts) hash.update(part).update('\0');
  return hash.digest('hex').slice(0, 16);
}

function readJson(file: string): unknown {
  try {
    return JSON.parse(fs.readFileSync(file, 'utf8'));
  } catch (error) {
    if (error instanceof SyntaxError) throw new UserError(`${file} is not valid JSON: ${error.message}`);
    throw fileError('read', file, error);
  }
}
