// A label, its control, a hint and an error, tied together for those who hear the page instead of seeing it.

import { CircleAlert } from 'lucide-react';
import {
  createContext,
  type InputHTMLAttributes,
  type ReactNode,
  type Ref,
  type SelectHTMLAttributes,
  type TextareaHTMLAttributes,
  useContext,
  useId,
} from 'react';
import './field.css';

interface Ties {
  id: string;
  'aria-describedby': string | undefined;
  'aria-invalid': true | undefined;
}

const FieldContext = createContext<Ties | null>(null);

/** What ties a control to its Field; for controls that this file does not have. */
export const useField = (): Ties | null => useContext(FieldContext);

export interface FieldProps {
  label: ReactNode;
  hint?: ReactNode;
  /** What is wrong, in one sentence that says what to do. */
  error?: ReactNode;
  /** Something short on the right of the label. */
  aside?: ReactNode;
  children: ReactNode;
}

export function Field({ label, hint, error, aside, children }: FieldProps) {
  const id = useId();
  const hasError = error !== undefined && error !== null && error !== '';
  const describedBy = [hasError ? `${id}-error` : '', hint === undefined ? '' : `${id}-hint`]
    .filter((part) => part !== '')
    .join(' ');
  const ties: Ties = {
    id,
    'aria-describedby': describedBy === '' ? undefined : describedBy,
    'aria-invalid': hasError || undefined,
  };
  return (
    <div className="field">
      <div className="field-head">
        <label htmlFor={id}>{label}</label>
        {aside}
      </div>
      <FieldContext value={ties}>{children}</FieldContext>
      <div role="alert" id={`${id}-error`} className="field-error">
        {hasError ? (
          <>
            <CircleAlert size={14} aria-hidden />
            <span>{error}</span>
          </>
        ) : null}
      </div>
      {hint === undefined ? null : (
        <div id={`${id}-hint`} className="field-hint">
          {hint}
        </div>
      )}
    </div>
  );
}

export function Input({
  mono = false,
  ...rest
}: InputHTMLAttributes<HTMLInputElement> & { mono?: boolean; ref?: Ref<HTMLInputElement> }) {
  return (
    <input
      type="text"
      autoComplete="off"
      spellCheck={false}
      {...useField()}
      {...rest}
      className={mono ? 'input mono' : 'input'}
    />
  );
}

export function Textarea({
  mono = false,
  ...rest
}: TextareaHTMLAttributes<HTMLTextAreaElement> & { mono?: boolean; ref?: Ref<HTMLTextAreaElement> }) {
  return (
    <textarea
      rows={6}
      spellCheck={false}
      autoComplete="off"
      {...useField()}
      {...rest}
      className={mono ? 'input textarea mono' : 'input textarea'}
    />
  );
}

/** A native select: it works with every keyboard, reader and phone. */
export function Select({
  options,
  ...rest
}: Omit<SelectHTMLAttributes<HTMLSelectElement>, 'children'> & {
  options: readonly { value: string; label: string; disabled?: boolean }[];
}) {
  return (
    <span className="select">
      <select {...useField()} {...rest} className="input">
        {options.map(({ value, label, disabled }) => (
          <option key={value} value={value} disabled={disabled}>
            {label}
          </option>
        ))}
      </select>
    </span>
  );
}

interface CheckProps extends Omit<InputHTMLAttributes<HTMLInputElement>, 'type' | 'children'> {
  label: ReactNode;
  hint?: ReactNode;
  /** Why it is off; said with the label. */
  why?: string | null;
  /** Some but not all of what it stands for. */
  partly?: boolean;
}

export function Checkbox({ label, hint, why = null, partly = false, disabled, ...rest }: CheckProps) {
  const id = useId();
  const said = why ?? hint;
  return (
    <div className="check" data-off={why !== null || disabled || undefined}>
      <input
        {...rest}
        id={id}
        type="checkbox"
        disabled={disabled === true || why !== null}
        aria-describedby={said === undefined ? undefined : `${id}-said`}
        ref={(box) => {
          if (box !== null) box.indeterminate = partly;
        }}
      />
      <div className="grow">
        <label htmlFor={id}>{label}</label>
        {said === undefined ? null : (
          <div id={`${id}-said`} className="check-said">
            {said}
          </div>
        )}
      </div>
    </div>
  );
}

export function Switch({ label, hint, ...rest }: CheckProps) {
  const id = useId();
  return (
    <div className="check check-switch">
      <input
        {...rest}
        id={id}
        type="checkbox"
        // biome-ignore lint/a11y/useAriaPropsForRole: a native checkbox says by itself whether it is checked
        role="switch"
        aria-describedby={hint === undefined ? undefined : `${id}-said`}
      />
      <div className="grow">
        <label htmlFor={id}>{label}</label>
        {hint === undefined ? null : (
          <div id={`${id}-said`} className="check-said">
            {hint}
          </div>
        )}
      </div>
    </div>
  );
}

export interface Choice<Value extends string> {
  value: Value;
  label: ReactNode;
  hint?: ReactNode;
}

/** One of a few, each with a line of its own. */
export function RadioCards<Value extends string>({
  legend,
  name,
  choices,
  value,
  onChange,
}: {
  legend: ReactNode;
  name: string;
  choices: readonly Choice<Value>[];
  value: Value;
  onChange(value: Value): void;
}) {
  return (
    <fieldset className="radio-cards">
      <legend className="visually-hidden">{legend}</legend>
      {choices.map((choice) => (
        <label key={choice.value} className="radio-card">
          <input
            type="radio"
            name={name}
            value={choice.value}
            checked={choice.value === value}
            onChange={() => onChange(choice.value)}
          />
          <span className="grow">
            <span className="radio-label">{choice.label}</span>
            {choice.hint === undefined ? null : <span className="check-said">{choice.hint}</span>}
          </span>
        </label>
      ))}
    </fieldset>
  );
}
