/** The tokenizer's programs as they are compiled, and given back when the run has passed them. */

import type { Engine, Executable } from '../engine/engine.ts';
import type { PlannedProgram } from '../engine/memory/footprint.ts';
import type { Ranks } from '../mpi/ranks.ts';
import type { TokenizerRecipe } from '../recipe/schema.ts';
import { compileOverRanks } from '../stage/over-ranks.ts';
import type { PerceptualDistance } from './perceptual.ts';
import type { Variant } from './schedule.ts';
import { sharedStepOf } from './shared-step.ts';
import { stagePrograms, stepOf, stepPrograms, type TokenizerStep } from './step.ts';

/** The programs of one tokenizer stage, compiled by name. */
export class TokenizerPrograms {
  private readonly compiled = new Map<string, Executable>();
  /** The names of those that the last step ran. */
  private running: readonly string[] = [];

  constructor(
    private readonly engine: Engine,
    private readonly recipe: TokenizerRecipe,
    readonly microBatches: number,
    private readonly ranks: Ranks,
  ) {}

  /** Compile all programs of the stage. */
  async prepare(perceptual: PerceptualDistance | undefined): Promise<void> {
    for (const program of stagePrograms(this.recipe, perceptual, this.microBatches, this.ranks.size))
      await this.compile(program);
  }

  /** A program that was prepared, by its name. */
  get(name: string): Executable {
    return this.compiled.get(name)!;
  }

  /** The step of a variant. No step goes back to a variant that is over: its memory is for the next. */
  async stepOf(variant: Variant, perceptual: PerceptualDistance | undefined): Promise<TokenizerStep> {
    const wanted = stepPrograms(this.recipe, variant, perceptual, this.microBatches, this.ranks.size);
    const names = wanted.map(({ name }) => name);
    for (const name of this.running.filter((one) => !names.includes(one))) {
      await this.compiled.get(name)?.release();
      this.compiled.delete(name);
    }
    this.running = names;
    const programs: Executable[] = [];
    for (const program of wanted) programs.push(await this.compile(program));
    if (this.ranks.size === 1) return stepOf(variant, this.microBatches, programs);
    const { engine, recipe, microBatches, ranks } = this;
    return sharedStepOf({ variant, microBatches, programs, engine, settings: recipe.tokenizer, ranks });
  }

  /** A program, compiled once. */
  private async compile({ name, write, ...options }: PlannedProgram): Promise<Executable> {
    const program =
      this.compiled.get(name) ?? (await compileOverRanks(this.engine, this.ranks, write(), { name, ...options }));
    this.compiled.set(name, program);
    return program;
  }
}
