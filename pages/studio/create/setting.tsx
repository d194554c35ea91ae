/**
 * A setting as the server's schema describes it: a native control, its one line, and the way back to the model's own
 * value.
 */

import type { SettingFacts, SettingValue } from '../../../src/studio/protocol.ts';
import { Field, SelectField } from '../../shared/fields.tsx';
import { currentValue, form, resetSetting, setSetting } from '../form.ts';

interface NumberFieldProps {
  readonly id: string;
  readonly title: string;
  readonly hint: string;
  readonly value: number;
  readonly least: number;
  readonly most: number;
  readonly step: number;
  /** Where the slider ends; any number up to `most` can be typed. */
  readonly sliderMost?: number | undefined;
  readonly onInput: (value: number) => void;
  readonly onReset?: (() => void) | undefined;
}

/** A number to type and to slide. */
export function NumberField({
  id,
  title,
  hint,
  value,
  least,
  most,
  step,
  sliderMost,
  onInput,
  onReset,
}: NumberFieldProps) {
  const take = ({ currentTarget }: { currentTarget: HTMLInputElement }) => {
    const { valueAsNumber } = currentTarget;
    if (Number.isFinite(valueAsNumber)) onInput(Math.min(most, Math.max(least, valueAsNumber)));
  };
  const end = Math.max(Math.min(most, sliderMost ?? most), value);
  return (
    <div class="field setting">
      <div class="row spread">
        <label for={id}>{title}</label>
        <span class="row tight">
          {onReset && <ResetButton title={title} onReset={onReset} />}
          <input
            id={id}
            class="input number"
            type="number"
            inputMode="decimal"
            min={least}
            max={most}
            step={step}
            value={value}
            aria-describedby={`${id}-hint`}
            onChange={take}
          />
        </span>
      </div>
      {end > least && (
        <input
          type="range"
          min={least}
          max={end}
          step={step}
          value={value}
          aria-label={`${title}, by a slider`}
          onInput={take}
        />
      )}
      <p class="hint" id={`${id}-hint`}>
        {hint}
      </p>
    </div>
  );
}

function ResetButton({ title, onReset }: { readonly title: string; readonly onReset: () => void }) {
  return (
    <button type="button" class="button quiet small" aria-label={`Reset ${title}`} onClick={onReset}>
      Reset
    </button>
  );
}

/** Numbers of a setting: where it begins and ends, and how finely it goes. */
function rangeOf({ kind, least, most, isAbove, value }: SettingFacts) {
  const step = kind === 'whole' ? 1 : (most ?? 10) <= 1 ? 0.01 : 0.1;
  const first = (least ?? 0) + (isAbove ? step : 0);
  // Guidance may be 1000, but is 2: a slider to the end would be of no use.
  const near = kind === 'number' ? Math.max(10, 4 * Number(value)) : Number.POSITIVE_INFINITY;
  return { step, least: first, most: most ?? 1_000_000, sliderMost: Math.min(most ?? near, near) };
}

interface SettingProps {
  readonly facts: SettingFacts;
  /** Narrower than the schema has it, as the sampler does with steps. */
  readonly range?: { readonly least: number; readonly most: number } | undefined;
  /** Put behind the schema's line. */
  readonly more?: string | undefined;
}

export function Setting({ facts, range, more }: SettingProps) {
  const { name, title, description, kind, choices } = facts;
  const id = `setting-${name}`;
  const value = currentValue(facts, form.value.settings);
  const set = (next: SettingValue) => (next === facts.value ? resetSetting(name) : setSetting(name, next));
  const onReset = value === facts.value ? undefined : () => resetSetting(name);
  const hint = [description, ...(more === undefined ? [] : [more])].join(' ');
  if (kind === 'whole' || kind === 'number')
    return (
      <NumberField
        {...{ id, title, hint, onReset }}
        {...rangeOf(facts)}
        {...range}
        value={Number(value)}
        onInput={set}
      />
    );
  const action = onReset && <ResetButton title={title} onReset={onReset} />;
  const frame = { id, title, hint, action, class: 'setting' };
  if (kind === 'choice') {
    const options = (choices ?? []).map((choice) => [choice, choice] as const);
    return <SelectField {...frame} value={String(value)} options={options} onChange={set} />;
  }
  const described = { id, 'aria-describedby': `${id}-hint` };
  return (
    <Field {...frame}>
      {kind === 'flag' ? (
        <input {...described} type="checkbox" checked={value === true} onChange={(e) => set(e.currentTarget.checked)} />
      ) : (
        <input {...described} class="input" value={String(value)} onChange={(e) => set(e.currentTarget.value)} />
      )}
    </Field>
  );
}
