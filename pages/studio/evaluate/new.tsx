/** What to measure, and on which pictures. */

import { useSignal } from '@preact/signals';
import type { DataList, EvaluateRequest, Job } from '../../../src/studio/protocol.ts';
import { SelectField, TextField } from '../../shared/fields.tsx';
import { post } from '../api.ts';
import { NumberField } from '../create/setting.tsx';
import { useLoaded } from '../loaded.ts';
import { go } from '../route.ts';
import { model, runs } from '../store.ts';
import { attempt, say } from '../toasts.tsx';
import { linesOf } from '../words.ts';

export function NewEvaluation({ run: first }: { readonly run: string | undefined }) {
  const run = useSignal(first ?? '');
  const data = useSignal('');
  const pictures = useSignal(200);
  const count = useSignal(2);
  const texts = useSignal('');
  const loaded = useLoaded<DataList>('data').value;
  const sources =
    loaded.state === 'there' ? [...loaded.value.roots, ...loaded.value.sets, ...loaded.value.builtin] : [];
  const start = () =>
    attempt(async () => {
      const prompts = linesOf(texts.value);
      const request: EvaluateRequest = {
        kind: 'evaluate',
        pictures: pictures.value,
        count: count.value,
        ...(run.value !== '' && { run: run.value }),
        ...(data.value !== '' && { data: data.value }),
        ...(prompts.length > 0 && { prompts }),
      };
      await post<Job>('jobs', request);
      say('The evaluation is in the queue');
      go('evaluate');
    });
  return (
    <section class="step" aria-label="New evaluation">
      <h2>New evaluation</h2>
      <div class="columns">
        <SelectField
          id="evaluate-model"
          title="Model"
          hint="What is measured."
          value={run.value}
          options={[
            ['', `${model.value?.name ?? 'the open model'}, as in Create`],
            ...runs.value.filter(({ isModel }) => isModel).map(({ id, name }) => [id, name] as const),
          ]}
          onChange={(value) => {
            run.value = value;
          }}
        />
        <SelectField
          id="evaluate-data"
          title="Pictures to compare with"
          hint="Best such that the model has not learned from."
          value={data.value}
          options={[['', 'those that the run has held out'], ...sources.map(({ id, name }) => [id, name] as const)]}
          onChange={(value) => {
            data.value = value;
          }}
        />
        <NumberField
          id="evaluate-pictures"
          title="At most so many of them"
          hint="More take longer and say more."
          value={pictures.value}
          least={2}
          most={10_000}
          sliderMost={1000}
          step={1}
          onInput={(value) => {
            pictures.value = value;
          }}
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
          onInput={(value) => {
            count.value = value;
          }}
        />
        <TextField
          id="evaluate-texts"
          title="Texts to draw for"
          hint="One a line. Empty: those that fit the model."
          kind="lines"
          value={texts.value}
          onInput={(value) => {
            texts.value = value;
          }}
        />
      </div>
      <button type="button" class="button primary" onClick={() => void start()}>
        Evaluate
      </button>
    </section>
  );
}
