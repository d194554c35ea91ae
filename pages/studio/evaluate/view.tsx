/** Evaluate: reports beside each other, and new ones. */

import { signal } from '@preact/signals';
import type { Job, ReportFacts, ReportList } from '../../../src/studio/protocol.ts';
import { remove } from '../api.ts';
import { useLoaded } from '../loaded.ts';
import { JobButtons, JobProgress } from '../queue.tsx';
import { addressOf, route } from '../route.ts';
import { isOpen, jobs } from '../store.ts';
import { attempt } from '../toasts.tsx';
import { short, standing, when } from '../words.ts';
import { NewEvaluation } from './new.tsx';

/** Reports that stand beside each other; undefined are the newest three. */
const chosen = signal<ReadonlySet<string> | undefined>(undefined);

function toggle(id: string, all: readonly ReportFacts[]): void {
  const now = new Set(chosen.value ?? all.slice(0, 3).map((report) => report.id));
  if (!now.delete(id)) now.add(id);
  chosen.value = now;
}

function ReportChoice({ reports }: { readonly reports: readonly ReportFacts[] }) {
  const isChosen = ({ id }: ReportFacts) =>
    chosen.value?.has(id) ?? reports.slice(0, 3).some((report) => report.id === id);
  const drop = async ({ id, model }: ReportFacts) => {
    if (confirm(`Delete this report on ${model}?`)) await attempt(() => remove(`reports/${id}`));
  };
  return (
    <ul class="report-list">
      {reports.map((report) => (
        <li key={report.id} class="entry">
          <label>
            <input type="checkbox" checked={isChosen(report)} onChange={() => toggle(report.id, reports)} />
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

const groupOf = (path: string): string => path.split('.')[0]!;

function SideBySide({ reports }: { readonly reports: readonly ReportFacts[] }) {
  const shown = reports.filter(
    ({ id }) => chosen.value?.has(id) ?? reports.slice(0, 3).some((report) => report.id === id),
  );
  const paths = [...new Set(shown.flatMap(({ numbers }) => Object.keys(numbers)))];
  const groups = [...new Set(paths.map(groupOf))];
  if (shown.length === 0) return <p class="empty-line">Choose the reports to see beside each other.</p>;
  return (
    <div class="scroll-x">
      <table class="reports">
        <thead>
          <tr>
            <th scope="col">Number</th>
            {shown.map(({ id, model, data, time, hasPage }) => (
              <th key={id} scope="col">
                <strong>{model}</strong>
                <br />
                {data}
                <br />
                {hasPage ? (
                  <a href={`/api/reports/${id}/page`} target="_blank" rel="noopener noreferrer">
                    {when(time)}, the whole report
                  </a>
                ) : (
                  when(time)
                )}
              </th>
            ))}
          </tr>
        </thead>
        {groups.map((group) => (
          <tbody key={group}>
            <tr>
              <th class="group-name" scope="rowgroup" colSpan={shown.length + 1}>
                {group}
              </th>
            </tr>
            {paths
              .filter((path) => groupOf(path) === group)
              .map((path) => (
                <tr key={path}>
                  <th scope="row">{path === group ? path : path.slice(group.length + 1)}</th>
                  {shown.map(({ id, numbers }) => (
                    <td key={id}>{numbers[path] === undefined ? '–' : short(numbers[path])}</td>
                  ))}
                </tr>
              ))}
          </tbody>
        ))}
      </table>
    </div>
  );
}

function Measuring() {
  const open = jobs.value.filter((job) => job.kind === 'evaluate' && isOpen(job));
  return (
    <>
      {open.map((job: Job) => (
        <section key={job.id} class="block" aria-label={`Evaluation of ${job.title}`}>
          <div class="row spread">
            <div>
              <h3>{job.title}</h3>
              <p class="hint">{standing(job)}</p>
            </div>
            <JobButtons job={job} />
          </div>
          <JobProgress job={job} />
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
      <ReportChoice reports={reports} />
      <SideBySide reports={reports} />
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
