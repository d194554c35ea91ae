/** A new training: which pictures, how they look, how large a model, start. */

import { useSignal } from '@preact/signals';
import type { DataEntry, Job, StudioState, TrainRequest } from '../../../src/studio/protocol.ts';
import { SelectField, TextField } from '../../shared/fields.tsx';
import { post } from '../api.ts';
import { go } from '../route.ts';
import { attempt, say } from '../toasts.tsx';
import { counted, linesOf } from '../words.ts';
import { DataCheckView } from './check.tsx';
import { DataChoice } from './data-choice.tsx';
import { PresetChoice } from './presets.tsx';

interface Further {
  readonly name: string;
  readonly minutes: string;
  readonly maxSteps: string;
  readonly prompts: string;
  readonly changes: string;
  readonly clip: '' | 'compact' | 'shipped';
}

const NOTHING: Further = { name: '', minutes: '', maxSteps: '', prompts: '', changes: '', clip: '' };

/** Lines like `diffusion.steps=2000`, by path. */
const changesOf = (text: string): Readonly<Record<string, string>> =>
  Object.fromEntries(
    linesOf(text).map((line) => {
      const at = line.indexOf('=');
      return at < 0 ? [line, ''] : [line.slice(0, at).trim(), line.slice(at + 1).trim()];
    }),
  );

function requestOf(data: DataEntry, preset: string, further: Further): TrainRequest {
  const { name, minutes, maxSteps, prompts, changes, clip } = further;
  return {
    kind: 'train',
    data: data.id,
    preset,
    ...(name.trim() !== '' && { name: name.trim() }),
    ...(minutes !== '' && { minutes: Number(minutes) }),
    ...(maxSteps !== '' && { maxSteps: Number(maxSteps) }),
    ...(prompts.trim() !== '' && { prompts: linesOf(prompts) }),
    ...(changes.trim() !== '' && { changes: changesOf(changes) }),
    ...(clip !== '' && { clip }),
  };
}

function FurtherSettings({
  value,
  onChange,
}: {
  readonly value: Further;
  readonly onChange: (part: Partial<Further>) => void;
}) {
  return (
    <details class="settings further">
      <summary>Name, length and more</summary>
      <div class="columns">
        <TextField
          id="run-name"
          title="Name of the run"
          hint="Letters, digits, - and _. Empty: made from the pictures and the preset."
          value={value.name}
          onInput={(name) => onChange({ name })}
        />
        <TextField
          id="run-minutes"
          title="Minutes"
          hint="About how long it may take. Empty: as long as the preset takes."
          kind="number"
          value={value.minutes}
          onInput={(minutes) => onChange({ minutes, maxSteps: '' })}
        />
        <TextField
          id="run-steps"
          title="Steps at most"
          hint="No stage is longer: for a trial. Not together with minutes."
          kind="number"
          value={value.maxSteps}
          onInput={(maxSteps) => onChange({ maxSteps, minutes: '' })}
        />
        <SelectField
          id="run-clip"
          title="CLIP"
          hint="What connects words with pictures."
          value={value.clip}
          options={[
            ['', 'as the pictures need it'],
            ['shipped', 'the shipped one'],
            ['compact', 'a new compact one'],
          ]}
          onChange={(clip) => onChange({ clip: clip === 'compact' || clip === 'shipped' ? clip : '' })}
        />
        <TextField
          id="run-texts"
          title="Texts of the sample sheets"
          hint="One a line; drawn again as training goes on."
          kind="lines"
          value={value.prompts}
          onInput={(prompts) => onChange({ prompts })}
        />
        <TextField
          id="run-changes"
          title="Settings of the recipe"
          hint="One a line, such as diffusion.steps=2000. They go over the preset."
          kind="lines"
          value={value.changes}
          onInput={(changes) => onChange({ changes })}
        />
      </div>
    </details>
  );
}

export function NewTraining({ state }: { readonly state: StudioState }) {
  const data = useSignal<DataEntry | undefined>(undefined);
  const preset = useSignal<string | undefined>(undefined);
  const further = useSignal(NOTHING);
  const isStarting = useSignal(false);
  const start = async () => {
    if (!data.value) return say('Choose the pictures first');
    if (preset.value === undefined) return say('Choose a preset first');
    const request = requestOf(data.value, preset.value, further.value);
    isStarting.value = true;
    await attempt(async () => {
      const { run } = await post<Job>('jobs', request);
      say('Training is starting');
      if (run !== undefined) go('train', run);
    });
    isStarting.value = false;
  };
  return (
    <div class="new-training">
      <h1>New training</h1>
      <section class="step">
        <h2>1 · Pictures</h2>
        <DataChoice state={state} chosen={data} />
        {data.value && data.value.kind !== 'builtin' && <DataCheckView key={data.value.id} entry={data.value} />}
      </section>
      <section class="step">
        <h2>2 · Model</h2>
        <PresetChoice data={data.value?.id} chosen={preset} />
        <FurtherSettings
          value={further.value}
          onChange={(part) => {
            further.value = { ...further.value, ...part };
          }}
        />
      </section>
      <section class="step">
        <h2>3 · Train</h2>
        <p class="hint">
          Training runs by itself: this page, and the studio too, may be closed meanwhile. It can be paused and resumed
          {state.pauseLoses === 0
            ? '.'
            : `; on this system a pause ends it at once, and up to ${counted(state.pauseLoses, 'step')} are done again.`}
        </p>
        <button type="button" class="button primary" disabled={isStarting.value} onClick={() => void start()}>
          Start training
        </button>
      </section>
    </div>
  );
}
