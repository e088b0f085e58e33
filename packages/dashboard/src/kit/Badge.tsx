// A word with a colour. Colour never says anything that the word does not.
import type { ReactNode } from 'react';
import type { DeliveryState } from '../api/types.ts';
import './badge.css';

export type Tone = 'gray' | 'green' | 'amber' | 'red' | 'blue';

export function Badge({ tone = 'gray', children }: { tone?: Tone; children: ReactNode }) {
  return (
    <span className="badge" data-tone={tone}>
      {children}
    </span>
  );
}

/** A dot before a word, for states in tables. */
export function Status({ tone, children }: { tone: Tone; children: ReactNode }) {
  return (
    <span className="status" data-tone={tone}>
      {children}
    </span>
  );
}

const deliveryStates: Record<DeliveryState, { tone: Tone; label: string }> = {
  pending: { tone: 'blue', label: 'Pending' },
  delivered: { tone: 'green', label: 'Delivered' },
  failed: { tone: 'red', label: 'Failed' },
  canceled: { tone: 'gray', label: 'Canceled' },
};

export function DeliveryStatus({ state }: { state: DeliveryState }) {
  const { tone, label } = deliveryStates[state];
  return <Status tone={tone}>{label}</Status>;
}

const toneOfCode = (code: number): Tone =>
  code < 300 ? 'green' : code < 400 ? 'blue' : code < 500 ? 'amber' : 'red';

/** An HTTP status; a dash where no answer came. */
export function HttpStatus({ code }: { code: number | null }) {
  if (code === null) return <span className="quiet">no answer</span>;
  return (
    <span className="http-status" data-tone={toneOfCode(code)}>
      {code}
    </span>
  );
}
