/** Two runs over each other: their curves, and the settings in which they differ. */

import type { CurveFacts, RunComparison } from '../../../src/studio/protocol.ts';
import { Chart } from '../../shared/chart.tsx';
import { useLoaded } from '../loaded.ts';
import { go } from '../route.ts';
import { runs } from '../store.ts';
import { short } from '../words.ts';

const keyOf = ({ stage, name }: CurveFacts): string => `${stage} · ${name}`;

function Charts({ comparison: { a, b, curves } }: { readonly comparison: RunComparison }) {
  const keys = [...new Set([...curves.a, ...curves.b].map(keyOf))];
  const pointsOf = (list: readonly CurveFacts[], key: string) =>
    list.find((curve) => keyOf(curve) === key)?.points ?? [];
  return (
    <div class="charts">
      {keys.map((key) => (
        <Chart
          key={key}
          title={key}
          unit="step"
          format={short}
          series={[
            { name: a.name, points: pointsOf(curves.a, key) },
            { name: b.name, points: pointsOf(curves.b, key) },
          ]}
        />
      ))}
    </div>
  );
}

function Differences({ comparison: { a, b, differences } }: { readonly comparison: RunComparison }) {
  if (differences.length === 0) return <p class="hint">All settings are the same.</p>;
  return (
    <div class="scroll-x">
      <table>
        <thead>
          <tr>
            <th scope="col">Setting</th>
            <th scope="col">{a.name}</th>
            <th scope="col">{b.name}</th>
          </tr>
        </thead>
        <tbody>
          {differences.map((difference) => (
            <tr key={difference.name}>
              <th scope="row">{difference.name}</th>
              <td>{difference.a}</td>
              <td>{difference.b}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

function Comparison({ a, b }: { readonly a: string; readonly b: string }) {
  const loaded = useLoaded<RunComparison>(`runs/compare?${new URLSearchParams({ a, b })}`).value;
  if (loaded.state === 'waiting') return <p class="hint">Reading both runs …</p>;
  if (loaded.state === 'refused') return <p class="notice error">{loaded.error}</p>;
  return (
    <>
      <section class="block" aria-label="Curves">
        <h2>Curves</h2>
        <Charts comparison={loaded.value} />
      </section>
      <section class="block" aria-label="Settings that differ">
        <h2>Settings that differ</h2>
        <Differences comparison={loaded.value} />
      </section>
    </>
  );
}

interface ChoiceProps {
  readonly label: string;
  readonly colour: number;
  readonly value: string;
  readonly onChange: (id: string) => void;
}

function RunChoice({ label, colour, value, onChange }: ChoiceProps) {
  return (
    <label class="row">
      <span class="swatch" style={{ background: `var(--curve-${colour})` }} />
      <span class="unseen">{label}</span>
      <select value={value} onChange={({ currentTarget }) => onChange(currentTarget.value)}>
        {runs.value.map(({ id, name }) => (
          <option key={id} value={id}>
            {name}
          </option>
        ))}
      </select>
    </label>
  );
}

export function RunComparisonView({ a, b }: { readonly a: string | undefined; readonly b: string | undefined }) {
  const first = a ?? runs.value[0]?.id;
  const second = b ?? runs.value[1]?.id;
  if (first === undefined || second === undefined)
    return <p class="empty-line">Two runs can be compared as soon as there are two.</p>;
  return (
    <article class="run">
      <header class="block">
        <h1>Two runs compared</h1>
        <div class="compared-runs">
          <RunChoice label="One run" colour={1} value={first} onChange={(id) => go('train', 'compare', id, second)} />
          <RunChoice
            label="The other run"
            colour={2}
            value={second}
            onChange={(id) => go('train', 'compare', first, id)}
          />
        </div>
      </header>
      {first === second ? (
        <p class="hint">Choose two different runs.</p>
      ) : (
        <Comparison key={`${first} ${second}`} a={first} b={second} />
      )}
    </article>
  );
}
