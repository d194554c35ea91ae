/** What to measure, and on which pictures. */

import { type Signal, useSignal } from '@preact/signals';
import type { DataList, EvaluateRequest, Job } from '../../../src/studio/protocol.ts';
import { SelectField, TextField } from '../../shared/fields.tsx';
import { post } from '../api.ts';
import { NumberField } from '../create/setting.tsx';
import { into } from '../into.ts';
import { useLoaded } from '../loaded.ts';
import { go } from '../route.ts';
import { model, runs } from '../store.ts';
import { attempt, say } from '../toasts.tsx';
import { linesOf } from '../words.ts';

/** The form of a new evaluation. */
export function NewEvaluation({ run: first }: { readonly run: string | undefined }) {
  const wanted: Wanted = {
    run: useSignal(first ?? ''),
    data: useSignal(''),
    pictures: useSignal(200),
    count: useSignal(2),
    texts: useSignal(''),
  };
  const start = () =>
    attempt(async () => {
      await post<Job>('jobs', requestOf(wanted));
      say('The evaluation is in the queue');
      go('evaluate');
    });
  return (
    <section class="step" aria-label="New evaluation">
      <h2>New evaluation</h2>
      <div class="columns">
        <SourceFields {...wanted} />
        <AmountFields {...wanted} />
        <TextField
          id="evaluate-texts"
          title="Texts to draw for"
          hint="One a line. Empty: those that fit the model."
          kind="lines"
          value={wanted.texts.value}
          onInput={into(wanted.texts)}
        />
      </div>
      <button type="button" class="button primary" onClick={() => void start()}>
        Evaluate
      </button>
    </section>
  );
}

/** What the form holds. */
interface Wanted {
  /** The id of the run that is measured; empty for the open model. */
  readonly run: Signal<string>;
  /** The id of the pictures; empty for those that the run has held out. */
  readonly data: Signal<string>;
  readonly pictures: Signal<number>;
  readonly count: Signal<number>;
  /** One a line. */
  readonly texts: Signal<string>;
}

function requestOf({ run, data, pictures, count, texts }: Wanted): EvaluateRequest {
  const prompts = linesOf(texts.value);
  return {
    kind: 'evaluate',
    pictures: pictures.value,
    count: count.value,
    ...(run.value !== '' && { run: run.value }),
    ...(data.value !== '' && { data: data.value }),
    ...(prompts.length > 0 && { prompts }),
  };
}

/** Which model is measured, and on which pictures. */
function SourceFields({ run, data }: Pick<Wanted, 'run' | 'data'>) {
  const loaded = useLoaded<DataList>('data').value;
  const sources =
    loaded.state === 'there' ? [...loaded.value.roots, ...loaded.value.sets, ...loaded.value.builtin] : [];
  return (
    <>
      <SelectField
        id="evaluate-model"
        title="Model"
        hint="What is measured."
        value={run.value}
        options={[
          ['', `${model.value?.name ?? 'the open model'}, as in Create`],
          ...runs.value.filter(({ isModel }) => isModel).map(({ id, name }) => [id, name] as const),
        ]}
        onChange={into(run)}
      />
      <SelectField
        id="evaluate-data"
        title="Pictures to compare with"
        hint="Best such that the model has not learned from."
        value={data.value}
        options={[['', 'those that the run has held out'], ...sources.map(({ id, name }) => [id, name] as const)]}
        onChange={into(data)}
      />
    </>
  );
}

/** How many pictures are compared, and how many are drawn. */
function AmountFields({ pictures, count }: Pick<Wanted, 'pictures' | 'count'>) {
  return (
    <>
      <NumberField
        id="evaluate-pictures"
        title="At most so many of them"
        hint="More take longer and say more."
        value={pictures.value}
        least={2}
        most={10_000}
        sliderMost={1000}
        step={1}
        onInput={into(pictures)}
      />
      <NumberField
        id="evaluate-count"
        title="Pictures for each text"
        hint="Drawn by the model."
        value={count.value}
        least={1}
        most={64}
        sliderMost={16}
        step={1}
        onInput={into(count)}
      />
    </>
  );
}
