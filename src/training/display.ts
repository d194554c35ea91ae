/** What training tells while it works; the command line draws it. */

import type { Progress } from './trainer.ts';

export interface TrainingDisplay {
  /** A training step was done. */
  step(progress: Progress): void;
  /** Work that counts things begins; call the result as it goes on. */
  count(what: string): (done: number, total: number) => void;
  /** Something worth a sentence. */
  note(text: string): void;
}
