/** What a look at every picture of a set has found. */

import type { Counted, DataCheck, DataEntry, Job } from '../../../src/studio/protocol.ts';
import { post } from '../api.ts';
import { JobButtons, JobProgress } from '../job.tsx';
import { useLoaded } from '../loaded.ts';
import { isOpen, jobs } from '../store.ts';
import { attempt } from '../toasts.tsx';
import { bytes, counted, standing, whole } from '../words.ts';

const listed = (counts: readonly Counted[]): string =>
  counts.map(({ what, count }) => `${what} ${whole(count)}`).join(', ') || 'none';

type Fact = readonly [string, string];

const doubles = ({ exactDuplicates: equal, nearDuplicates: near }: DataCheck): string =>
  equal + near === 0 ? 'none' : `${counted(equal, 'group')} equal, ${whole(near)} that look the same`;

function ofAccepted(check: DataCheck): readonly Fact[] {
  const { formats, shapes, width, height, tiny, notSquare } = check;
  const cut = Math.round(100 * notSquare.cut);
  return [
    ['Formats', listed(formats)],
    ['Shapes', listed(shapes)],
    ['Width', `${width.min} to ${width.max}, half of them up to ${width.median} pixels`],
    ['Height', `${height.min} to ${height.max}, half of them up to ${height.median} pixels`],
    ['Small', tiny.count === 0 ? 'none' : `${whole(tiny.count)} with a side under ${tiny.side} pixels`],
    [
      'Not square',
      notSquare.count === 0 ? 'none' : `${whole(notSquare.count)}; of these ${cut} % is cut away on average`,
    ],
    ['Doubles', doubles(check)],
  ];
}

function Result({ check, entry }: { readonly check: DataCheck; readonly entry: DataEntry }) {
  const { accepted, rejected, animated } = check;
  const left = rejected.reduce((sum, { count }) => sum + count, 0);
  const facts: readonly Fact[] = [
    ['Can be used', `${counted(accepted, 'picture')}, ${bytes(check.bytes)}`],
    ['Left out', left === 0 ? 'none' : `${whole(left)}: ${listed(rejected)}`],
    ...(accepted > 0 ? ofAccepted(check) : []),
    ...(animated > 0 ? [['Animated', whole(animated)] as const] : []),
  ];
  return (
    <>
      <dl class="facts">
        {facts.map(([name, value]) => (
          <div key={name}>
            <dt>{name}</dt>
            <dd>{value}</dd>
          </div>
        ))}
      </dl>
      {check.examples.length > 0 && (
        <details>
          <summary>Files that are left out</summary>
          <ul class="left-out">
            {check.examples.map(({ name, reason }) => (
              <li key={name}>
                <code>{name}</code> <span class="hint">{reason}</span>
              </li>
            ))}
          </ul>
        </details>
      )}
      {check.hasSheet && (
        <img class="sheet" src={`/api/data/${entry.id}/sheet.png`} alt={`Some pictures of ${entry.name}`} />
      )}
    </>
  );
}

export function DataCheckView({ entry }: { readonly entry: DataEntry }) {
  const isOwn = ({ request }: Job) => request.kind === 'check' && request.data === entry.id;
  const job = jobs.value.find((other) => isOwn(other) && isOpen(other));
  const loaded = useLoaded<DataCheck>(
    `data/${entry.id}/check`,
    (event) => event.type === 'data' || (event.type === 'job' && isOwn(event.job) && event.job.state === 'done'),
  ).value;
  const look = () => attempt(() => post<Job>('jobs', { kind: 'check', data: entry.id }));
  return (
    <div class="check">
      <div class="row spread">
        <h3>{entry.name}</h3>
        {job ? (
          <JobButtons job={job} />
        ) : (
          <button type="button" class="button" onClick={() => void look()}>
            {loaded.state === 'there' ? 'Look again' : 'Look at these pictures'}
          </button>
        )}
      </div>
      {job && (
        <>
          <p class="hint">{standing(job)}</p>
          <JobProgress job={job} />
        </>
      )}
      {loaded.state === 'there' && <Result check={loaded.value} entry={entry} />}
      {loaded.state === 'refused' && loaded.status !== 404 && <p class="notice error">{loaded.error}</p>}
      {loaded.state === 'refused' && loaded.status === 404 && !job && (
        <p class="hint">A look shows what can be used, what is left out and why, before any training.</p>
      )}
    </div>
  );
}
