/** Evaluate: reports beside each other, and new ones. */

import { signal } from '@preact/signals';
import type { Job, ReportFacts, ReportList } from '../../../src/studio/protocol.ts';
import { remove } from '../api.ts';
import { JobHead } from '../job.tsx';
import { useLoaded } from '../loaded.ts';
import { addressOf, route } from '../route.ts';
import { isOpen, jobs } from '../store.ts';
import { attempt } from '../toasts.tsx';
import { when } from '../words.ts';
import { NewEvaluation } from './new.tsx';
import { SideBySide } from './side-by-side.tsx';

/** Reports that stand beside each other; undefined are the newest three. */
const chosen = signal<ReadonlySet<string> | undefined>(undefined);

function toggle(id: string, all: readonly ReportFacts[]): void {
  const now = new Set(chosen.value ?? all.slice(0, 3).map((report) => report.id));
  if (!now.delete(id)) now.add(id);
  chosen.value = now;
}

const isChosen = ({ id }: ReportFacts, all: readonly ReportFacts[]): boolean =>
  chosen.value?.has(id) ?? all.slice(0, 3).some((report) => report.id === id);

function ReportChoice({ reports }: { readonly reports: readonly ReportFacts[] }) {
  const drop = async ({ id, model }: ReportFacts) => {
    if (confirm(`Delete this report on ${model}?`)) await attempt(() => remove(`reports/${id}`));
  };
  return (
    <ul class="report-list">
      {reports.map((report) => (
        <li key={report.id} class="entry">
          <label>
            <input type="checkbox" checked={isChosen(report, reports)} onChange={() => toggle(report.id, reports)} />
            <span>
              {report.model}{' '}
              <span class="hint">
                {report.data}, {when(report.time)}
              </span>
            </span>
          </label>
          <button
            type="button"
            class="button quiet small"
            aria-label={`Delete the report on ${report.model} of ${when(report.time)}`}
            onClick={() => void drop(report)}
          >
            Delete
          </button>
        </li>
      ))}
    </ul>
  );
}

function Measuring() {
  const open = jobs.value.filter((job) => job.kind === 'evaluate' && isOpen(job));
  return (
    <>
      {open.map((job: Job) => (
        <section key={job.id} class="block" aria-label={`Evaluation of ${job.title}`}>
          <JobHead job={job} />
        </section>
      ))}
    </>
  );
}

function Reports() {
  const loaded = useLoaded<ReportList>('reports', ({ type }) => type === 'reports').value;
  if (loaded.state === 'waiting') return <p class="hint">Reading the reports …</p>;
  if (loaded.state === 'refused') return <p class="notice error">{loaded.error}</p>;
  const { reports } = loaded.value;
  if (reports.length === 0)
    return (
      <div class="empty">
        <h2>No reports yet</h2>
        <p class="hint">
          An evaluation draws pictures for prompts, measures how well they fit, how near they come to real ones, and how
          well pictures survive the tokenizer. Two reports beside each other tell which of two models is better.
        </p>
      </div>
    );
  return (
    <>
      <section class="block" aria-label="Reports">
        <h2>Reports</h2>
        <ReportChoice reports={reports} />
      </section>
      <SideBySide reports={reports.filter((report) => isChosen(report, reports))} />
    </>
  );
}

export function EvaluateView() {
  const isNew = route.value[1] === 'new';
  return (
    <main id="main" class="evaluate stage" tabIndex={-1}>
      <div class="row spread">
        <h1>Evaluate</h1>
        <a
          class={`button${isNew ? '' : ' primary'}`}
          href={isNew ? addressOf('evaluate') : addressOf('evaluate', 'new')}
        >
          {isNew ? 'Back to the reports' : 'New evaluation'}
        </a>
      </div>
      {isNew && <NewEvaluation run={route.value[2]} />}
      <Measuring />
      <Reports />
    </main>
  );
}
