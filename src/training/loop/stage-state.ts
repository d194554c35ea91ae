/** The state of a stage that trains: on the engine, and in its checkpoints. */

import { UserError } from '../../base/errors.ts';
import type { NDArray } from '../../base/ndarray.ts';
import { isFiniteArray, NotFinite } from '../../checkpoint/finite.ts';
import type { Engine } from '../../engine/engine.ts';
import { ALONE, lead, type Ranks } from '../../mpi/ranks.ts';
import type { RunDirectory } from '../../run/directory.ts';
import { broadcastArrays, shareState } from '../../stage/data-parallel.ts';
import type { Stage } from '../../stage/stage.ts';
import { noneSound, type OnChange, type Standing, startsAgain } from '../standing.ts';
import { checkpointFiles, type Keeping, loadCheckpoint, saveCheckpoint } from './checkpoint.ts';
import { assertAlike } from './drift.ts';
import { Guard } from './guard.ts';
import { hashOf, type StateHashes, stateHashes } from './recorder.ts';

export interface StageStateOptions {
  readonly run: RunDirectory;
  readonly engine: Engine;
  /** Steps between checkpoints, and seconds after which there is one whatever the steps. */
  readonly checkpointEvery: number;
  readonly checkpointSeconds?: number | undefined;
  /** Threads that the engine computes with, for the checkpoints to say. */
  readonly threads?: number | undefined;
  /** Who trains together; by default this process alone. */
  readonly ranks?: Ranks | undefined;
  readonly onNote?: ((note: string) => void) | undefined;
}

/** What training goes on from. */
export interface TakenUp {
  readonly step: number;
  readonly guard: Guard;
}

/** Seconds between checkpoints where steps take long. */
const CHECKPOINT_SECONDS = 300;

/** Whether a multiple of `every` lies after `since` and up to `step`. */
export const isCrossed = (every: number, since: number, step: number): boolean =>
  Math.floor(step / every) > Math.floor(since / every);

/** The state of one stage: taken up from checkpoints, kept in them, hashed. */
export class StageState {
  /** The last checkpoint of this training, or the one it began with; `undefined` is the beginning. */
  saved: number | undefined;
  private readonly files: readonly [string, string];
  /** Which checkpoint on the disk stays beside the next one; none where training began anew. */
  private keeping: Keeping = 'none';
  private savedAt = performance.now();
  /** Hashes of the state, and after how many steps it had them. */
  private hashed: { readonly step: number; readonly hashes: StateHashes } | undefined;
  private readonly ranks: Ranks;

  constructor(
    private readonly stage: Stage,
    private readonly options: StageStateOptions,
  ) {
    this.files = checkpointFiles(options.run, stage);
    this.ranks = options.ranks ?? ALONE;
  }

  /**
   * Take up the first of some checkpoints that is sound, or the stage's beginning.
   * @param onChange with `restart` a stage without a sound checkpoint begins anew.
   * @throws UserError if there are some and none can be read.
   */
  async takeUp(candidates: Standing['candidates'], onChange?: OnChange): Promise<TakenUp> {
    const { stage } = this;
    const { engine, onNote } = this.options;
    let failure: UserError | undefined;
    for (const { file, facts } of candidates) {
      await this.prepare();
      try {
        await this.load(file);
      } catch (error) {
        if (!(error instanceof UserError)) throw error;
        failure ??= error;
        continue;
      }
      if (failure && this.ranks.rank === 0)
        onNote?.(`${failure.message}; it goes on from the checkpoint before it, of step ${facts.step}`);
      this.saved = facts.step;
      this.keeping = file === this.files[0] ? 'newest' : 'previous';
      const isSlower = facts.fingerprint === stage.fingerprint;
      return { step: facts.step, guard: Guard.from(isSlower ? facts.guard : undefined) };
    }
    if (failure) {
      if (onChange !== 'restart') throw noneSound(failure, stage.name);
      if (this.ranks.rank === 0) onNote?.(startsAgain(failure, stage.name));
    }
    await this.prepare();
    await shareState(engine, this.ranks);
    this.saved = undefined;
    this.keeping = 'none';
    return { step: 0, guard: Guard.from() };
  }

  /** Take up the newest checkpoint once more. */
  async takeUpAgain(): Promise<void> {
    await this.prepare();
    await this.load(this.files[0]);
  }

  /** Whether a checkpoint is due after `step` steps, where the one after `since` steps was the last it could be at. */
  isDue(step: number, since = step - 1): boolean {
    const { checkpointEvery, checkpointSeconds = CHECKPOINT_SECONDS } = this.options;
    return isCrossed(checkpointEvery, since, step) || performance.now() - this.savedAt > 1000 * checkpointSeconds;
  }

  /**
   * Hashes of the state after `step` steps, computed once.
   * @throws UserError if the weights of the ranks differ.
   */
  async hashes(step: number): Promise<StateHashes> {
    if (this.hashed?.step !== step) {
      const hashes = await stateHashes(this.options.engine);
      if (this.ranks.size > 1) {
        // It learns as the weights do, but is none of what a model keeps.
        const discriminator = await hashOf(this.options.engine, 'discriminator');
        await assertAlike(this.ranks, `${hashes.weights} ${discriminator}`, `${this.stage.name}, step ${step}`);
      }
      this.hashed = { step, hashes };
    }
    return this.hashed.hashes;
  }

  /**
   * Keep the state after `step` steps; `enough`: the stage ends there, before its last step.
   * @throws NotFinite if it is not fit to be kept: nothing has changed on the disk then.
   */
  async save(step: number, guard: Guard, enough = false): Promise<void> {
    const { engine, threads } = this.options;
    const facts = { step, guard: guard.save(), threads, enough };
    if (this.ranks.size > 1) await this.hashes(step);
    const fault = await engine.span('checkpoint', () =>
      lead(this.ranks, async () => {
        try {
          await saveCheckpoint(this.files, engine, this.stage, facts, this.keeping);
          return undefined;
        } catch (error) {
          if (error instanceof NotFinite) return error.message;
          throw error;
        }
      }),
    );
    if (fault !== undefined) throw new NotFinite(fault);
    this.keeping = 'newest';
    this.saved = step;
    this.savedAt = performance.now();
  }

  /** Whether the weights are nothing but finite numbers. */
  async isSound(): Promise<boolean> {
    const { engine } = this.options;
    for (const path of Object.keys(await engine.describe('params')))
      if (!isFiniteArray((await engine.read(path)) as NDArray)) return false;
    return true;
  }

  /** Rank 0 reads the checkpoint for all. */
  private async load(file: string): Promise<void> {
    const { stage, ranks } = this;
    const { engine } = this.options;
    await lead(ranks, () => loadCheckpoint(file, engine, stage));
    if (ranks.size === 1) return;
    await shareState(engine, ranks);
    const host = await broadcastArrays(ranks, ranks.rank === 0 ? stage.hostState() : undefined);
    if (ranks.rank !== 0) stage.restore(host);
  }

  private async prepare(): Promise<void> {
    const { engine } = this.options;
    this.hashed = undefined;
    await engine.drop('');
    await engine.span('prepare', () => this.stage.prepare());
  }
}
