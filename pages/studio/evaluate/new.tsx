/** What to measure, and on which pictures. */

import { useSignal } from '@preact/signals';
import type { DataList, EvaluateRequest, Job } from '../../../src/studio/protocol.ts';
import { post } from '../api.ts';
import { NumberField } from '../create/setting.tsx';
import { useLoaded } from '../loaded.ts';
import { go } from '../route.ts';
import { model, runs } from '../store.ts';
import { attempt, say } from '../toasts.tsx';

interface SelectProps {
  readonly id: string;
  readonly title: string;
  readonly hint: string;
  readonly value: string;
  readonly options: readonly (readonly [string, string])[];
  readonly onChange: (value: string) => void;
}

function Select({ id, title, hint, value, options, onChange }: SelectProps) {
  return (
    <div class="field">
      <label for={id}>{title}</label>
      <select id={id} value={value} aria-describedby={`${id}-hint`} onChange={(e) => onChange(e.currentTarget.value)}>
        {options.map(([name, text]) => (
          <option key={name} value={name}>
            {text}
          </option>
        ))}
      </select>
      <p class="hint" id={`${id}-hint`}>
        {hint}
      </p>
    </div>
  );
}

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
      const prompts = texts.value
        .split('\n')
        .map((line) => line.trim())
        .filter((line) => line !== '');
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
      <div class="columns">
        <Select
          id="evaluate-model"
          title="Model"
          hint="What is measured."
          value={run.value}
          options={[
            ['', `the one that Create draws with (${model.value?.name ?? ''})`],
            ...runs.value.filter(({ isModel }) => isModel).map(({ id, name }) => [id, name] as const),
          ]}
          onChange={(value) => {
            run.value = value;
          }}
        />
        <Select
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
        <div class="field">
          <label for="evaluate-texts">Texts to draw for</label>
          <textarea
            id="evaluate-texts"
            rows={3}
            value={texts.value}
            aria-describedby="evaluate-texts-hint"
            onInput={({ currentTarget }) => {
              texts.value = currentTarget.value;
            }}
          />
          <p class="hint" id="evaluate-texts-hint">
            One a line. Empty: those that fit the model.
          </p>
        </div>
      </div>
      <button type="button" class="button primary" onClick={() => void start()}>
        Evaluate
      </button>
    </section>
  );
}
