/** What happens, as server-sent events. */

import type { Job, Preview } from './jobs.ts';
import type { Picture } from './pictures.ts';
import type { LogEntry, Run } from './runs.ts';
import type { ModelFacts } from './state.ts';

export type StudioEvent =
  /** All that there is now: the first event of every connection. */
  | {
      readonly type: 'present';
      readonly jobs: readonly Job[];
      readonly previews: readonly Preview[];
      readonly model: ModelFacts;
      readonly runs: readonly Run[];
    }
  /** A job is new or has changed. */
  | { readonly type: 'job'; readonly job: Job }
  /** Jobs have another order, or are fewer. */
  | { readonly type: 'jobs'; readonly jobs: readonly Job[] }
  | { readonly type: 'preview'; readonly preview: Preview }
  /** A picture is new in the history, or has changed. */
  | { readonly type: 'picture'; readonly picture: Picture }
  | { readonly type: 'picture-gone'; readonly id: string }
  /** A run is new, has trained further, or has another state. */
  | { readonly type: 'run'; readonly run: Run; readonly numbers: readonly LogEntry[] }
  /** Another model, or another state of it: `GET /api/state` has changed, too. */
  | { readonly type: 'model'; readonly model: ModelFacts }
  /** `GET /api/reports` or `GET /api/data` has changed. */
  | { readonly type: 'reports' }
  | { readonly type: 'data' };
