// The endpoint's URL, judged while it is typed by the same rules that hold when the webhook is created.
import { keepPreviousData, useQuery } from '@tanstack/react-query';
import { CircleCheck } from 'lucide-react';
import { useEffect, useState } from 'react';
import { sentenceOf } from '../../api/client.ts';
import type { UrlVerdict } from '../../api/types.ts';
import { useTeam } from '../../app/session.tsx';
import { Field, Input } from '../../kit/Field.tsx';

const pauseMs = 350;

interface UrlFieldProps {
  value: string;
  onChange(value: string): void;
  /** What the server said of it when it was sent. */
  refusal?: string | null;
  /** The URL that is in use already, which need not be judged. */
  present?: string;
}

export function UrlField({ value, onChange, refusal = null, present }: UrlFieldProps) {
  const { call, key } = useTeam();
  const settled = useSettled(value.trim());
  const isWorthAsking = settled.length >= 8 && settled !== present;
  const verdict = useQuery({
    queryKey: key('check-url', settled),
    enabled: isWorthAsking,
    staleTime: 30_000,
    placeholderData: keepPreviousData,
    queryFn: ({ signal }) => call<UrlVerdict>('POST', '/v1/check-url', { body: { url: settled }, signal }),
  });
  const isCurrent = isWorthAsking && settled === value.trim() && !verdict.isPlaceholderData;
  const judged = isCurrent ? verdict.data : undefined;
  // What can't be judged now is judged when it is sent; that is no fault of the URL.
  const unknown = isCurrent && verdict.error !== null ? sentenceOf(verdict.error) : null;
  const wrong = refusal ?? (judged?.ok === false ? judged.message : null);
  const isBusy =
    value.trim() !== '' && value.trim() !== present && (settled !== value.trim() || verdict.isFetching);
  return (
    <Field
      label="Endpoint URL"
      error={wrong}
      hint={
        unknown ??
        'A public address that answers POST requests with a 2xx status within 30 seconds. Use https.'
      }
      aside={
        <span className="url-state" aria-live="polite">
          {isBusy ? (
            <span className="quiet">Checking …</span>
          ) : judged?.ok === true ? (
            <span className="url-good">
              <CircleCheck size={14} aria-hidden /> Can be called
            </span>
          ) : null}
        </span>
      }
    >
      <Input
        mono
        type="url"
        name="url"
        inputMode="url"
        placeholder="https://example.com/api/webhook"
        value={value}
        onChange={(event) => onChange(event.target.value)}
      />
    </Field>
  );
}

/** The value, once it has not changed for a moment. */
function useSettled(value: string): string {
  const [settled, setSettled] = useState(value);
  useEffect(() => {
    const timer = setTimeout(() => setSettled(value), pauseMs);
    return () => clearTimeout(timer);
  }, [value]);
  return settled;
}
