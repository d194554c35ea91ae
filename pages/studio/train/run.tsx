/** One run: where it stands, its curves, sheets, log and settings. */

import { type Signal, useSignal } from '@preact/signals';
import { useEffect } from 'preact/hooks';
import type {
  CurveFacts,
  Job,
  LogEntry,
  ModelChoice,
  ModelFacts,
  Run,
  RunDetails,
} from '../../../src/studio/protocol.ts';
import { Chart } from '../../shared/chart.tsx';
import { post } from '../api.ts';
import { cancelJob } from '../job.tsx';
import { useLoaded } from '../loaded.ts';
import { addressOf, go } from '../route.ts';
import { isOpen, jobs, model, onEvent, runs } from '../store.ts';
import { attempt, say } from '../toasts.tsx';
import { duration, short, whole } from '../words.ts';
import { Sheets } from './sheets.tsx';
import { RUN_STATES } from './view.tsx';

/** Lines of a stage with further numbers behind them. */
export function extended(curves: readonly CurveFacts[], numbers: readonly LogEntry[]): readonly CurveFacts[] {
  const found = new Map(curves.map((curve) => [`${curve.stage} ${curve.name}`, curve]));
  for (const { stage, step, values } of numbers)
    for (const [name, y] of Object.entries(values)) {
      const key = `${stage} ${name}`;
      const { points = [], description } = found.get(key) ?? {};
      // A resumed run repeats the steps since its checkpoint.
      const before = (points.at(-1)?.x ?? -1) < step ? points : points.filter(({ x }) => x < step);
      found.set(key, { stage, name, description, points: [...before, { x: step, y }] });
    }
  return [...found.values()];
}

function Buttons({ run }: { readonly run: Run }) {
  const { id, state, canPause, isModel } = run;
  // A training ends its step and writes a checkpoint before it halts.
  const halting = useSignal<'pause' | 'stop' | undefined>(undefined);
  useEffect(() => {
    halting.value = undefined;
  }, [state]);
  const halt = async (how: 'pause' | 'stop' | undefined, request: () => Promise<boolean>) => {
    halting.value = how;
    if (!(await request())) halting.value = undefined;
  };
  const job = jobs.value.find((other) => other.run === id && isOpen(other));
  const isTraining = state === 'training' || state === 'starting';
  const isDrawnWith = model.value?.run === id;
  const drawWith = () =>
    attempt(async () => {
      const choice: ModelChoice = { run: isDrawnWith ? null : id };
      await post<ModelFacts>('model', choice);
      say(isDrawnWith ? 'Create draws with the first model again' : `Create draws with ${run.name} now`);
      if (!isDrawnWith) go('create');
    });
  return (
    <div class="row wrap">
      {isTraining && canPause && (
        <button
          type="button"
          class="button"
          disabled={halting.value !== undefined}
          onClick={() => halt('pause', () => attempt(() => post<Run>(`runs/${id}/pause`)))}
        >
          {halting.value === 'pause' ? 'Pausing …' : 'Pause'}
        </button>
      )}
      {!isTraining && state !== 'done' && (
        <button type="button" class="button" onClick={() => attempt(() => post<Job>(`runs/${id}/resume`))}>
          Resume
        </button>
      )}
      {job && (
        <button
          type="button"
          class="button"
          disabled={halting.value === 'stop'}
          onClick={() => halt(isTraining ? 'stop' : undefined, () => cancelJob(job.id))}
        >
          {halting.value === 'stop' ? 'Stopping …' : 'Stop'}
        </button>
      )}
      {isModel && (
        <button type="button" class="button" onClick={() => void drawWith()}>
          {isDrawnWith ? 'Draw with the first model again' : 'Draw with it'}
        </button>
      )}
      {isModel && (
        <a class="button" href={addressOf('evaluate', 'new', id)}>
          Evaluate …
        </a>
      )}
    </div>
  );
}

function Stages({ run }: { readonly run: Run }) {
  return (
    <ol class="stages">
      {run.stages.map(({ name, step, steps, isDone }) => (
        <li key={name}>
          <span class="row spread">
            <strong>{name}</strong>
            <span class="hint numbers">{isDone ? 'done' : `${whole(step)} of ${whole(steps)} steps`}</span>
          </span>
          <progress
            value={isDone ? 1 : step}
            max={isDone ? 1 : Math.max(1, steps)}
            aria-label={`Progress of ${name}`}
          />
        </li>
      ))}
    </ol>
  );
}

function Standing({ run }: { readonly run: Run }) {
  const { state, rate, left, preset, data } = run;
  const parts = [
    RUN_STATES[state],
    ...(preset === '' ? [] : [`preset ${preset}`]),
    ...(data === '' ? [] : [`pictures: ${data}`]),
    ...(rate === undefined ? [] : [`${short(rate)} steps a second`]),
    ...(left === undefined ? [] : [`${duration(left)} left of this stage`]),
  ];
  return <p class="hint numbers">{parts.join(' · ')}</p>;
}

function Codebook({ codebook }: { readonly codebook: RunDetails['codebook'] }) {
  if (!codebook) return null;
  const { codes, used, perplexity } = codebook;
  return (
    <section class="block" aria-label="Codebook">
      <h2>Codebook</h2>
      {used !== undefined && (
        <>
          <meter class="meter" min={0} max={codes} value={used} aria-label="Codes in use" />
          <p class="hint numbers">
            {whole(Math.round(used))} of {whole(codes)} codes are in use
            {perplexity === undefined ? '' : `; as evenly as ${short(Math.round(perplexity))} would be`}.
          </p>
        </>
      )}
    </section>
  );
}

function Curves({ curves }: { readonly curves: Signal<readonly CurveFacts[]> }) {
  const stages = [...new Set(curves.value.map(({ stage }) => stage))];
  if (stages.length === 0) return <p class="empty-line">No numbers yet: the first steps are on their way.</p>;
  return (
    <>
      {stages.map((stage) => (
        <section key={stage} class="block" aria-label={`Curves of ${stage}`}>
          <h2>{stage}</h2>
          <div class="charts">
            {curves.value
              .filter((curve) => curve.stage === stage)
              .map(({ name, description, points }) => (
                <Chart
                  key={name}
                  title={name}
                  hint={description}
                  unit="step"
                  format={short}
                  series={[{ name, points }]}
                />
              ))}
          </div>
        </section>
      ))}
    </>
  );
}

function Details({ id, details }: { readonly id: string; readonly details: RunDetails }) {
  const curves = useSignal(details.curves);
  useEffect(() => {
    curves.value = details.curves;
  }, [details]);
  useEffect(
    () =>
      onEvent((event) => {
        if (event.type === 'run' && event.run.id === id) curves.value = extended(curves.value, event.numbers);
      }),
    [id],
  );
  return (
    <>
      <Sheets run={id} sheets={details.sheets} />
      <Codebook codebook={details.codebook} />
      <Curves curves={curves} />
      <details class="block">
        <summary>Log</summary>
        {details.log.length === 0 ? (
          <p class="hint">The studio has not trained it: what a training prints here appears here.</p>
        ) : (
          <textarea
            class="log"
            readOnly
            rows={12}
            aria-label="What training has printed"
            value={details.log.join('\n')}
          />
        )}
      </details>
      <details class="block">
        <summary>Settings</summary>
        <table>
          <tbody>
            {Object.entries(details.settings).map(([name, value]) => (
              <tr key={name}>
                <th scope="row">{name}</th>
                <td>{value}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </details>
    </>
  );
}

export function RunView({ id }: { readonly id: string }) {
  const loaded = useLoaded<RunDetails>(`runs/${id}`, (event) => event.type === 'run' && event.run.id === id).value;
  const run = runs.value.find((other) => other.id === id) ?? (loaded.state === 'there' ? loaded.value.run : undefined);
  return (
    <article class="run">
      {run && (
        <header class="block">
          <h1>{run.name}</h1>
          <Standing run={run} />
          {run.error !== undefined && <p class="notice error">{run.error}</p>}
          <Stages run={run} />
          <Buttons run={run} />
        </header>
      )}
      {loaded.state === 'waiting' && <p class="hint">Reading the run …</p>}
      {loaded.state === 'refused' && <p class="notice error">{loaded.error}</p>}
      {loaded.state === 'there' && <Details id={id} details={loaded.value} />}
    </article>
  );
}
