/** What the server is doing and will do: order, pause, cancel. */

import { useSignal } from '@preact/signals';
import { useRef } from 'preact/hooks';
import type { Job, JobList } from '../../src/studio/protocol.ts';
import { post } from './api.ts';
import { cancelJob, JobButtons, JobProgress } from './job.tsx';
import { addressOf } from './route.ts';
import { isDrawing, isOpen, jobs, openJobs } from './store.ts';
import { attempt } from './toasts.tsx';
import { counted, JOB_KINDS, standing } from './words.ts';

const moveJob = (id: string, before: string | null): Promise<boolean> =>
  attempt(async () => {
    const { jobs: list } = await post<JobList>(`jobs/${id}/move`, { before });
    jobs.value = list;
  });

/** Up and down among those that wait. */
function Order({ job, waiting }: { readonly job: Job; readonly waiting: readonly Job[] }) {
  const at = waiting.indexOf(job);
  if (at < 0 || waiting.length < 2) return null;
  return (
    <span class="row tight">
      <button
        type="button"
        class="button quiet small"
        aria-label={`Move ${job.title} up`}
        disabled={at === 0}
        onClick={() => moveJob(job.id, waiting[at - 1]!.id)}
      >
        ↑
      </button>
      <button
        type="button"
        class="button quiet small"
        aria-label={`Move ${job.title} down`}
        disabled={at === waiting.length - 1}
        onClick={() => moveJob(job.id, waiting[at + 2]?.id ?? null)}
      >
        ↓
      </button>
    </span>
  );
}

function Item({ job, waiting }: { readonly job: Job; readonly waiting: readonly Job[] }) {
  return (
    <li class="job">
      <p class="job-title">{job.title}</p>
      <p class="hint">
        {JOB_KINDS[job.kind]} · {standing(job)}
      </p>
      {isOpen(job) && <JobProgress job={job} />}
      {job.error !== undefined && <p class="notice error">{job.error}</p>}
      <div class="row">
        {isOpen(job) ? (
          <>
            <JobButtons job={job} />
            <Order job={job} waiting={waiting} />
          </>
        ) : (
          <button
            type="button"
            class="button quiet small"
            aria-label={`Remove ${job.title}`}
            onClick={() => cancelJob(job.id)}
          >
            Remove
          </button>
        )}
        {job.run !== undefined && (
          <a class="button quiet small" href={addressOf('train', job.run)}>
            Open the run
          </a>
        )}
        {job.kind === 'interpolate' && job.state === 'done' && (
          <a class="button quiet small" href={`/api/jobs/${job.id}/animation.webp`} download>
            Animation
          </a>
        )}
      </div>
    </li>
  );
}

const isWaiting = (job: Job): boolean => job.state === 'waiting' && isDrawing(job);

function List() {
  const waiting = jobs.value.filter(isWaiting);
  const ended = jobs.value.filter((job) => !isOpen(job));
  return (
    <>
      {openJobs.value.length === 0 ? (
        <p class="empty-line">Nothing is being drawn or trained.</p>
      ) : (
        <ol class="jobs">
          {openJobs.value.map((job) => (
            <Item key={job.id} job={job} waiting={waiting} />
          ))}
        </ol>
      )}
      {ended.length > 0 && (
        <>
          <h3>Ended</h3>
          <ol class="jobs">
            {ended.slice(0, 20).map((job) => (
              <Item key={job.id} job={job} waiting={waiting} />
            ))}
          </ol>
        </>
      )}
    </>
  );
}

export function QueueButton() {
  const dialog = useRef<HTMLDialogElement>(null);
  const isShown = useSignal(false);
  const count = openJobs.value.length;
  return (
    <>
      <button
        type="button"
        class="button quiet queue-button"
        aria-label={count === 0 ? 'Queue, empty' : `Queue ${counted(count, 'job')}`}
        onClick={() => {
          isShown.value = true;
          dialog.current?.showModal();
        }}
      >
        Queue {count > 0 && <span class="badge">{count}</span>}
      </button>
      <dialog
        ref={dialog}
        class="drawer"
        aria-label="Queue"
        closedby="any"
        onClose={() => {
          isShown.value = false;
        }}
      >
        <div class="drawer-inside">
          <div class="row spread">
            <h2>Queue</h2>
            <button type="button" class="button quiet" onClick={() => dialog.current?.close()}>
              Close
            </button>
          </div>
          {isShown.value && <List />}
        </div>
      </dialog>
    </>
  );
}
