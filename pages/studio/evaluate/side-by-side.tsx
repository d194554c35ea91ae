/** Reports beside each other: a column for each, a row for each measure. */

import type { ReportFacts } from '../../../src/studio/protocol.ts';
import { short, when } from '../words.ts';
import { groupsOf, isBest, type Row } from './measures.ts';

function Head({ id, model, data, time, hasPage }: ReportFacts) {
  return (
    <th scope="col">
      <strong>{model}</strong>
      <span>{data}</span>
      {hasPage ? (
        <a href={`/api/reports/${id}/page`} target="_blank" rel="noopener noreferrer">
          {when(time)}, the whole report
        </a>
      ) : (
        <span>{when(time)}</span>
      )}
    </th>
  );
}

function Cell({ row, at }: { readonly row: Row; readonly at: number }) {
  const measured = row.measured[at];
  if (!measured) return <td class="soft">–</td>;
  const { value, range } = measured;
  return (
    <td class={isBest(row, at) ? 'best' : undefined}>
      {short(value)}
      {range && (
        <span class="hint">
          {short(range[0])} to {short(range[1])}
        </span>
      )}
    </td>
  );
}

const ARROWS = { more: '↑', less: '↓' } as const;
const DIRECTIONS = { more: 'more is better', less: 'less is better' } as const;

function Measure({ row }: { readonly row: Row }) {
  const { title, better, measured } = row;
  return (
    <tr>
      <th scope="row">
        {title}
        {better && (
          <span class="direction" title={DIRECTIONS[better]}>
            <span aria-hidden="true">{ARROWS[better]}</span>
            <span class="unseen">, {DIRECTIONS[better]}</span>
          </span>
        )}
      </th>
      {measured.map((_, at) => (
        <Cell key={String(at)} row={row} at={at} />
      ))}
    </tr>
  );
}

export function SideBySide({ reports }: { readonly reports: readonly ReportFacts[] }) {
  if (reports.length === 0) return <p class="empty-line">Choose the reports to see beside each other.</p>;
  const groups = groupsOf(reports);
  return (
    <section class="block" aria-label="Reports beside each other">
      <div class="scroll-x">
        <table class="reports">
          <thead>
            <tr>
              <td />
              {reports.map((report) => (
                <Head key={report.id} {...report} />
              ))}
            </tr>
          </thead>
          {groups.map(({ name, title, rows }) => (
            <tbody key={name}>
              <tr>
                <th class="group-name" scope="rowgroup" colSpan={reports.length + 1}>
                  {title}
                </th>
              </tr>
              {rows.map((row) => (
                <Measure key={row.path} row={row} />
              ))}
            </tbody>
          ))}
        </table>
      </div>
      <p class="hint">
        Small: where a number would lie for other pictures, 95 times of 100. Bold: better than all others, beyond these
        ranges.
      </p>
    </section>
  );
}
