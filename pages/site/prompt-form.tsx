/** What is to be drawn, and how. */

import type { TargetedEvent } from 'preact';
import { useRef, useState } from 'preact/hooks';
import { Field, SelectField } from '../shared/fields.tsx';
import type { Choices, Facts, Field as FieldFacts } from './protocol.ts';

/** Pictures at a time, at most. */
const MOST_COUNT = 500;
/** Seeds that are drawn when none is given: short enough to be typed. */
const SEEDS = 100_000;

interface PromptFormProps {
  readonly facts: Facts;
  readonly isDrawing: boolean;
  /** Whether nothing new can begin. */
  readonly isBusy: boolean;
  readonly onDraw: (prompt: string, choices: Choices) => void;
  readonly onCancel: () => void;
}

export function PromptForm({ facts, isDrawing, isBusy, onDraw, onCancel }: PromptFormProps) {
  const create = useRef<HTMLButtonElement>(null);
  const submit = (event: TargetedEvent<HTMLFormElement>) => {
    event.preventDefault();
    if (isBusy) return;
    const given = new FormData(event.currentTarget);
    const number = (name: string) => Number(given.get(name));
    const seed = `${given.get('seed')}`.trim();
    onDraw(`${given.get('prompt')}`, {
      count: number('count'),
      seed: seed === '' ? Math.floor(Math.random() * SEEDS) : Number(seed),
      steps: number('steps'),
      guidanceScale: number('guidanceScale'),
      sampler: `${given.get('sampler')}`,
    });
  };
  // The button that is pressed goes away: the focus moves to the other one, for users of the keyboard.
  const cancel = () => {
    onCancel();
    create.current?.focus();
  };
  return (
    <form class="form" onSubmit={submit}>
      <div class="field">
        <label for="prompt">Prompt</label>
        <div class="row">
          <input class="input" id="prompt" name="prompt" type="text" required autocomplete="off" spellcheck={false} />
          <button class="button primary" type="submit" aria-disabled={isBusy} ref={create}>
            Create
          </button>
          {isDrawing && (
            <button class="button" type="button" onClick={cancel}>
              Cancel
            </button>
          )}
        </div>
      </div>
      <details>
        <summary>Settings</summary>
        <div class="settings">
          <NumberField
            name="count"
            label="Pictures"
            hint="Drawn one after another, each with the next seed."
            value="4"
            least="1"
            most={MOST_COUNT}
            step="1"
          />
          <NumberField
            name="seed"
            label="Seed"
            hint="The same seed, prompt and settings give the same picture. Empty: another one each time."
            value=""
            least="0"
            step="1"
          />
          {facts.fields.map((field) =>
            field.choices ? (
              <ChoiceField key={field.name} {...field} choices={field.choices} />
            ) : (
              <NumberField
                key={field.name}
                {...field}
                least={field.name === 'steps' ? '1' : '0'}
                step={field.name === 'steps' ? '1' : 'any'}
              />
            ),
          )}
        </div>
      </details>
    </form>
  );
}

interface NumberFieldProps extends Omit<FieldFacts, 'name' | 'choices'> {
  readonly name: string;
  readonly least: string;
  readonly step: string;
}

function NumberField({ name, label, hint, value, least, most, step }: NumberFieldProps) {
  return (
    <Field id={name} title={label} hint={hint}>
      <input
        class="input"
        id={name}
        name={name}
        type="number"
        min={least}
        {...(most !== undefined && { max: most })}
        step={step}
        defaultValue={value}
        required={value !== ''}
        aria-describedby={`${name}-hint`}
      />
    </Field>
  );
}

function ChoiceField({
  name,
  label,
  hint,
  value,
  choices,
}: FieldFacts & { readonly choices: NonNullable<FieldFacts['choices']> }) {
  const [chosen, setChosen] = useState(value);
  return (
    <SelectField
      id={name}
      name={name}
      title={label}
      hint={`${hint} ${chosen}: ${choices.find((choice) => choice.value === chosen)?.hint}.`}
      value={chosen}
      options={choices.map((choice) => [choice.value, choice.value])}
      onChange={setChosen}
    />
  );
}
