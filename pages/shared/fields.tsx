/** Labelled controls with a line that explains them: a native control, named by its label, described by its hint. */

import type { ComponentChildren } from 'preact';

interface FieldProps {
  /** Of the control, which stands in it. */
  readonly id: string;
  readonly title: string;
  readonly hint: ComponentChildren;
  /** Beside the label, such as a way back to the value from before. */
  readonly action?: ComponentChildren;
  readonly class?: string | undefined;
  readonly children: ComponentChildren;
}

/** The label and the hint around a control, which has the id and says that `<id>-hint` describes it. */
export function Field({ id, title, hint, action, class: further, children }: FieldProps) {
  const label = <label for={id}>{title}</label>;
  return (
    <div class={further === undefined ? 'field' : `field ${further}`}>
      {action === undefined ? (
        label
      ) : (
        <div class="row spread">
          {label}
          {action}
        </div>
      )}
      {children}
      <p class="hint" id={`${id}-hint`}>
        {hint}
      </p>
    </div>
  );
}

type FrameProps = Omit<FieldProps, 'children'>;

interface SelectFieldProps extends FrameProps {
  /** Under which a form sends it; by default not at all. */
  readonly name?: string | undefined;
  readonly value: string;
  /** Values, and how they read. */
  readonly options: readonly (readonly [value: string, text: string])[];
  readonly onChange: (value: string) => void;
}

export function SelectField({ name, value, options, onChange, ...frame }: SelectFieldProps) {
  const { id } = frame;
  return (
    <Field {...frame}>
      <select
        id={id}
        name={name}
        value={value}
        aria-describedby={`${id}-hint`}
        onChange={({ currentTarget }) => onChange(currentTarget.value)}
      >
        {options.map(([one, text]) => (
          <option key={one} value={one}>
            {text}
          </option>
        ))}
      </select>
    </Field>
  );
}

interface TextFieldProps extends FrameProps {
  readonly value: string;
  /** `number` is a line of digits, `lines` more than one line. */
  readonly kind?: 'text' | 'number' | 'lines';
  readonly onInput: (value: string) => void;
}

export function TextField({ value, kind = 'text', onInput, ...frame }: TextFieldProps) {
  const { id } = frame;
  const common = { id, value, 'aria-describedby': `${id}-hint` };
  return (
    <Field {...frame}>
      {kind === 'lines' ? (
        <textarea {...common} rows={3} onInput={({ currentTarget }) => onInput(currentTarget.value)} />
      ) : (
        <input
          {...common}
          class="input"
          inputMode={kind === 'number' ? 'numeric' : 'text'}
          onInput={({ currentTarget }) => onInput(currentTarget.value)}
        />
      )}
    </Field>
  );
}
