/** What to draw, and how. */

import { signal } from '@preact/signals';
import type { Job, SettingFacts, StudioState } from '../../../src/studio/protocol.ts';
import { pictureUrl, post } from '../api.ts';
import { change, chosenSampler, form, requestOf, samplerOf, usedBy } from '../form.ts';
import { link, model } from '../store.ts';
import { attempt, say } from '../toasts.tsx';
import { counted } from '../words.ts';
import { bringIn } from './import.ts';
import { NumberField, Setting } from './setting.tsx';

/** Shown at once; the others wait behind "Finer settings". */
const FIRST = ['steps', 'sampler', 'guidanceScale', 'truncation'];

const isSending = signal(false);

/** On a telephone the pictures come first. */
const isWide = matchMedia('(min-width: 52.01rem)').matches;

async function create(state: StudioState): Promise<void> {
  if (form.value.prompt.trim() === '' && !form.value.start) {
    document.querySelector<HTMLElement>('#prompt')?.focus();
    return say('Say what to draw first');
  }
  isSending.value = true;
  await attempt(async () => {
    const { notes } = await post<Job>('jobs', requestOf(state, form.value));
    for (const note of notes) say(note);
  });
  isSending.value = false;
}

function Start() {
  const { start, strength } = form.value;
  return (
    <>
      {start && (
        <div class="start">
          <div class="row">
            <img class="pixels" src={pictureUrl(start.id)} alt={start.prompt} width={64} height={64} />
            <div>
              <p class="label">Going on from this picture</p>
              <button type="button" class="button quiet small" onClick={() => change({ start: null })}>
                Remove
              </button>
            </div>
          </div>
          <NumberField
            id="strength"
            title="Strength"
            hint="How much of the picture is drawn anew: a little changes details, 1 changes everything."
            value={strength}
            least={0.05}
            most={1}
            step={0.05}
            onInput={(value) => change({ strength: value })}
          />
        </div>
      )}
      <label class="button quiet file">
        {start ? 'Another picture …' : 'Open a picture …'}
        <input
          type="file"
          accept="image/*"
          class="unseen"
          onChange={({ currentTarget }) => {
            void bringIn([...(currentTarget.files ?? [])]);
            currentTarget.value = '';
          }}
        />
      </label>
    </>
  );
}

function Prompt({ state }: { readonly state: StudioState }) {
  const { prompt, start } = form.value;
  const { count, bestOf } = form.value;
  const cannot = link.value !== 'online' || model.value?.state === 'failed' || isSending.value;
  const onKeyDown = (event: KeyboardEvent) => {
    if (event.key !== 'Enter' || !(event.ctrlKey || event.metaKey) || cannot) return;
    event.preventDefault();
    void create(state);
  };
  return (
    <form
      class="prompt-form"
      onSubmit={(event) => {
        event.preventDefault();
        void create(state);
      }}
    >
      <div class="field">
        <label for="prompt">Prompt</label>
        <textarea
          id="prompt"
          rows={3}
          maxLength={state.limits.prompt}
          value={prompt}
          placeholder={start ? 'What it should become (optional)' : (state.model.examples[0] ?? 'What to draw')}
          onInput={({ currentTarget }) => change({ prompt: currentTarget.value })}
          onKeyDown={onKeyDown}
        />
      </div>
      <div class="row">
        <button
          type="submit"
          class="button primary grow"
          aria-label="Create"
          aria-describedby="create-what"
          disabled={cannot}
        >
          Create
        </button>
        <span class="hint" id="create-what">
          {counted(count, 'picture')}
          {bestOf > 1 && !start ? `, best of ${bestOf}` : ''}
        </span>
      </div>
    </form>
  );
}

function Seed({ limit }: { readonly limit: number }) {
  const { seed } = form.value;
  return (
    <div class="field setting">
      <div class="row spread">
        <label for="seed">Seed</label>
        {seed !== null && (
          <button type="button" class="button quiet small" onClick={() => change({ seed: null })}>
            New each time
          </button>
        )}
      </div>
      <input
        id="seed"
        class="input"
        type="number"
        min={0}
        max={limit}
        step={1}
        value={seed ?? ''}
        placeholder="new each time"
        aria-describedby="seed-hint"
        onChange={({ currentTarget: { valueAsNumber } }) =>
          change({ seed: Number.isSafeInteger(valueAsNumber) ? Math.min(limit, Math.max(0, valueAsNumber)) : null })
        }
      />
      <p class="hint" id="seed-hint">
        The same seed with the same settings gives the same picture.
      </p>
    </div>
  );
}

function Avoid({ limit }: { readonly limit: number }) {
  return (
    <div class="field setting">
      <label for="avoid">Avoid</label>
      <input
        id="avoid"
        class="input"
        maxLength={limit}
        value={form.value.negative}
        placeholder="nothing in particular"
        aria-describedby="avoid-hint"
        onInput={({ currentTarget }) => change({ negative: currentTarget.value })}
      />
      <p class="hint" id="avoid-hint">
        What pictures are guided away from, the negative prompt. Where guidance is 1, it becomes 2 for these pictures.
      </p>
    </div>
  );
}

function SettingRow({ facts }: { readonly facts: SettingFacts }) {
  const sampler = chosenSampler.value;
  if (facts.name === 'steps' && sampler) {
    const range = { least: sampler.least, most: sampler.most };
    return <Setting facts={facts} range={range} more={`This sampler takes ${range.least} to ${range.most}.`} />;
  }
  const more = facts.name === 'sampler' && sampler ? `This one: ${sampler.description}.` : undefined;
  return <Setting facts={facts} more={more} />;
}

export function FormPanel({ state }: { readonly state: StudioState }) {
  const { limits } = state;
  const used = usedBy(samplerOf(state, form.value.settings), state.settings);
  const every = state.samplers.length;
  const isOwn = ({ samplers }: SettingFacts) => samplers.length < every;
  const first = FIRST.flatMap((name) => used.filter((facts) => facts.name === name));
  const own = used.filter((facts) => isOwn(facts) && !FIRST.includes(facts.name));
  const finer = used.filter((facts) => !isOwn(facts) && !FIRST.includes(facts.name));
  const at = first.findIndex(({ name }) => name === 'sampler') + 1;
  const rows = [...first.slice(0, at), ...own, ...first.slice(at)];
  return (
    <section class="panel" aria-label="What to draw">
      <Prompt state={state} />
      <Start />
      <details class="settings" open={isWide}>
        <summary>Settings</summary>
        <NumberField
          id="count"
          title="Count"
          hint="Pictures that are drawn at once; their seeds count up."
          value={form.value.count}
          least={1}
          most={limits.pictures}
          sliderMost={16}
          step={1}
          onInput={(count) => change({ count })}
        />
        <Seed limit={limits.seed} />
        {rows.map((facts) => (
          <SettingRow key={facts.name} facts={facts} />
        ))}
        <NumberField
          id="best-of"
          title="Best of"
          hint="Draws so many candidates for each picture and keeps the one that fits the prompt best."
          value={form.value.bestOf}
          least={1}
          most={limits.bestOf}
          step={1}
          onInput={(bestOf) => change({ bestOf })}
        />
        <Avoid limit={limits.prompt} />
        {finer.length > 0 && (
          <details class="settings inner">
            <summary>Finer settings</summary>
            {finer.map((facts) => (
              <SettingRow key={facts.name} facts={facts} />
            ))}
          </details>
        )}
      </details>
      <p class="hint model-line">
        Drawn by {state.model.name}, {state.model.imageSize} × {state.model.imageSize} pixels
      </p>
    </section>
  );
}
