/** The context of a run: one value from the command down to the trainer. */

import type { RunDirectory } from '../run/directory.ts';
import type { StageContext } from '../stage/context.ts';
import type { Stage } from '../stage/stage.ts';
import type { OnChange } from './standing.ts';

export interface RunContext extends StageContext {
  readonly run: RunDirectory;
  /** Go on from checkpoints, and leave alone what is finished. */
  readonly resume: boolean;
  /** Steps between checkpoints; there is always one at the end and one on interruption. */
  readonly checkpointEvery: number;
  /** Steps between hashes of weights and moments in `metrics.jsonl`; by default as between checkpoints, 0 is never. */
  readonly hashEvery?: number | undefined;
  /**
   * Called after every `sheetEvery` steps of a stage, its last one left out, with the seconds that the whole stage
   * takes at the rate of now; it may not change the stage.
   */
  readonly drawSheet?: ((stage: Stage, step: number, seconds: number) => Promise<void>) | undefined;
  /** Steps between sheets; by default one `sheetCount`th of the stage, 0 is never. */
  readonly sheetEvery?: number | undefined;
  /** Sheets of a stage where `sheetEvery` is not given; 8 by default. */
  readonly sheetCount?: number | undefined;
  /** End each stage after this many steps in all, if it is longer. */
  readonly maxSteps?: number | undefined;
  /** What to do with a stage that was begun with other pictures or models. */
  readonly changed?: OnChange | undefined;
  /** Micro-batches that a batch is computed in, where it has so many pictures. */
  readonly microBatches?: number | undefined;
  /** Bytes that the process may hold: batches are computed in as many micro-batches as that takes. */
  readonly memory?: number | undefined;
}
