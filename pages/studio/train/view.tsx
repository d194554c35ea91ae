/** Train: the runs, one of them, a comparison of two, or a new one. */

import type { Run, StudioState } from '../../../src/studio/protocol.ts';
import { addressOf, route } from '../route.ts';
import { runs } from '../store.ts';
import { when } from '../words.ts';
import { RunComparisonView } from './compare-runs.tsx';
import { NewTraining } from './new.tsx';
import { RunView } from './run.tsx';

export const RUN_STATES: Readonly<Record<Run['state'], string>> = {
  starting: 'Starting',
  training: 'Training',
  stopped: 'Stopped',
  done: 'Done',
  failed: 'Failed',
};

/** The share of all steps that is done. */
const shareOf = ({ stages }: Run): number => {
  const all = stages.reduce((sum, { steps }) => sum + steps, 0);
  return all === 0 ? 0 : stages.reduce((sum, { step }) => sum + step, 0) / all;
};

function RunLink({ run }: { readonly run: Run }) {
  const { id, name, preset, state, lastActivity } = run;
  const isShown = (route.value[1] ?? runs.value[0]?.id) === id;
  return (
    <li>
      <a class="run-link" href={addressOf('train', id)} aria-current={isShown ? 'page' : undefined}>
        <span class="row spread">
          <strong>{name}</strong>
          <span class={`state ${state}`}>{RUN_STATES[state]}</span>
        </span>
        <span class="hint">
          {preset === '' ? '' : `${preset} · `}
          {when(lastActivity)}
        </span>
        {state === 'training' && <progress value={shareOf(run)} max={1} aria-label={`Progress of ${name}`} />}
      </a>
    </li>
  );
}

function Side() {
  return (
    <aside class="panel runs" aria-label="Runs">
      <a class="button primary" href={addressOf('train', 'new')}>
        New training
      </a>
      {runs.value.length === 0 ? (
        <p class="hint">No runs yet. What you train appears here and stays, also when the studio ends.</p>
      ) : (
        <ul>
          {runs.value.map((run) => (
            <RunLink key={run.id} run={run} />
          ))}
        </ul>
      )}
      {runs.value.length > 1 && (
        <a class="button quiet" href={addressOf('train', 'compare')}>
          Compare two runs
        </a>
      )}
    </aside>
  );
}

function Content({ state }: { readonly state: StudioState }) {
  const [, first, second, third] = route.value;
  if (first === 'compare') return <RunComparisonView a={second} b={third} />;
  const id = first ?? runs.value[0]?.id;
  if (id === undefined || id === 'new') return <NewTraining state={state} />;
  return <RunView key={id} id={id} />;
}

export function TrainView({ state }: { readonly state: StudioState }) {
  return (
    <main id="main" class="train" tabIndex={-1}>
      <Side />
      <div class="stage">
        <Content state={state} />
      </div>
    </main>
  );
}
