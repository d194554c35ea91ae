/** A picture's settings beside those of the form: one or all of them can be taken over, and that can be undone. */

import type { Picture, SettingValue, StudioState } from '../../../src/studio/protocol.ts';
import { currentValue, type Form, fitting, form, formOf, takeOver, usedBy } from '../form.ts';
import { model } from '../store.ts';

interface Row {
  readonly name: string;
  readonly title: string;
  readonly own: string;
  readonly now: string;
  /** What the form changes to. */
  readonly part: Partial<Form>;
}

const shown = (value: SettingValue | null): string => (value === null || value === '' ? '–' : String(value));

function rowsOf(state: StudioState, picture: Picture, now: Form): readonly Row[] {
  const { prompt, negative, seed, bestOf, settings } = picture;
  const row = (
    name: string,
    title: string,
    own: SettingValue,
    current: SettingValue | null,
    part: Partial<Form>,
  ): Row => ({
    name,
    title,
    own: shown(own),
    now: shown(current),
    part,
  });
  if (!settings) return [];
  const used = usedBy(String(settings.sampler ?? ''), state.settings).filter(
    ({ name }) => settings[name] !== undefined,
  );
  return [
    row('prompt', 'Prompt', prompt, now.prompt, { prompt }),
    row('negative', 'Avoid', negative ?? '', now.negative, { negative: negative ?? '' }),
    ...(seed === undefined ? [] : [row('seed', 'Seed', seed, now.seed, { seed })]),
    row('bestOf', 'Best of', bestOf, now.bestOf, { bestOf }),
    ...used.map((facts) => {
      const value = settings[facts.name]!;
      const changed = { ...now.settings, [facts.name]: value };
      return row(facts.name, facts.title, value, currentValue(facts, now.settings), {
        settings: facts.name === 'sampler' ? fitting(state, changed) : changed,
      });
    }),
  ];
}

function Rows({ rows }: { readonly rows: readonly Row[] }) {
  return (
    <table class="beside">
      <thead>
        <tr>
          <th scope="col">Setting</th>
          <th scope="col">Here</th>
          <th scope="col">Form</th>
          <td />
        </tr>
      </thead>
      <tbody>
        {rows.map(({ name, title, own, now, part }) => (
          <tr key={name}>
            <th scope="row">{title}</th>
            <td>{own}</td>
            <td class="soft">{now}</td>
            <td>
              {own !== now && (
                <button
                  type="button"
                  class="button small"
                  aria-label={`Use ${title} of this picture`}
                  onClick={() => takeOver(part, `${title} is ${own} now`)}
                >
                  Use
                </button>
              )}
            </td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}

export function BesideNow({ state, picture }: { readonly state: StudioState; readonly picture: Picture }) {
  const rows = rowsOf(state, picture, form.value);
  if (rows.length === 0) return <p class="hint">This picture was brought in; nothing is known of how it was made.</p>;
  const different = rows.filter(({ own, now }) => own !== now);
  const same = rows.filter(({ own, now }) => own === now);
  return (
    <section class="beside-now" aria-label="Its settings beside the form's">
      <div class="row spread">
        <h3>Its settings</h3>
        {different.length > 0 && (
          <button
            type="button"
            class="button small"
            onClick={() => takeOver(formOf(state, picture), 'All settings of the picture are in the form')}
          >
            Use all
          </button>
        )}
      </div>
      {picture.model !== model.value?.hash && (
        <p class="hint">Another model drew it: the same settings give another picture.</p>
      )}
      {different.length > 0 ? <Rows rows={different} /> : <p class="hint">The form has the same.</p>}
      {same.length > 0 && different.length > 0 && (
        <details>
          <summary class="hint">{same.length} that are the same</summary>
          <Rows rows={same} />
        </details>
      )}
    </section>
  );
}
