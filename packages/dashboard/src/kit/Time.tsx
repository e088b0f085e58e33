// A time: how long ago in the text, exactly and in UTC on hover.
import { useNow } from '../app/clock.ts';
import { exactTime, relativeTime } from './format.ts';
import './text.css';

export function Time({ at, pace = 'slow' }: { at: number; pace?: 'second' | 'slow' }) {
  const nowAt = useNow(pace);
  return (
    <time
      className="time number"
      title={exactTime(at)}
      dateTime={Number.isFinite(at) ? new Date(at).toISOString() : undefined}
    >
      {relativeTime(at, nowAt)}
    </time>
  );
}
