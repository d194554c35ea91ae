/** A job: where it stands, and what can be done with it. */

import type { Job } from '../../src/studio/protocol.ts';
import { post, remove } from './api.ts';
import { attempt } from './toasts.tsx';
import { standing } from './words.ts';

export const cancelJob = (id: string): Promise<boolean> => attempt(() => remove(`jobs/${id}`));
const pauseJob = (id: string): Promise<boolean> => attempt(() => post<Job>(`jobs/${id}/pause`));
const resumeJob = (id: string): Promise<boolean> => attempt(() => post<Job>(`jobs/${id}/resume`));

export function JobProgress({ job }: { readonly job: Job }) {
  const { progress, state, title } = job;
  if (state === 'waiting' || !progress) return null;
  const known = progress.total > 0 ? { value: progress.done, max: progress.total } : {};
  return <progress {...known} aria-label={`Progress of ${title}`} />;
}

/** Pause or resume, and cancel. */
export function JobButtons({ job }: { readonly job: Job }) {
  const { id, state, title } = job;
  return (
    <span class="row tight">
      {state === 'paused' ? (
        <button type="button" class="button small" aria-label={`Resume ${title}`} onClick={() => resumeJob(id)}>
          Resume
        </button>
      ) : (
        state === 'running' && (
          <button type="button" class="button small" aria-label={`Pause ${title}`} onClick={() => pauseJob(id)}>
            Pause
          </button>
        )
      )}
      <button type="button" class="button small" aria-label={`Cancel ${title}`} onClick={() => cancelJob(id)}>
        Cancel
      </button>
    </span>
  );
}

/** What it is for, where it stands, its buttons and its progress. */
export function JobHead({ job }: { readonly job: Job }) {
  return (
    <>
      <div class="row spread">
        <div class="job-head">
          <h3>{job.title}</h3>
          <p class="hint">{standing(job)}</p>
        </div>
        <JobButtons job={job} />
      </div>
      <JobProgress job={job} />
    </>
  );
}
