// What was typed, kept for this tab through reloads. Secrets and passwords never go through here.
import { type Dispatch, type SetStateAction, useCallback, useEffect, useState } from 'react';

const prefix = 'posthorn.draft.';

function read(key: string): object | null {
  try {
    const stored = sessionStorage.getItem(prefix + key);
    return stored === null ? null : (JSON.parse(stored) as object);
  } catch {
    return null;
  }
}

function write(key: string, value: unknown): void {
  try {
    if (value === null) sessionStorage.removeItem(prefix + key);
    else sessionStorage.setItem(prefix + key, JSON.stringify(value));
  } catch {
    // Full or switched off: the form works, a reload empties it.
  }
}

/**
 * State that outlives a reload of the tab.
 * @param key which form it is, with the team's id where the form is a team's
 * @returns the value, its setter, and what forgets it (after it was sent, or given up)
 */
export function useDraft<Value extends object>(
  key: string,
  initial: Value,
): [Value, Dispatch<SetStateAction<Value>>, () => void] {
  const [value, setValue] = useState<Value>(() => ({ ...initial, ...read(key) }));
  const [isChanged, setChanged] = useState(false);
  useEffect(() => {
    if (isChanged) write(key, value);
  }, [key, value, isChanged]);
  const change = useCallback<Dispatch<SetStateAction<Value>>>((next) => {
    setChanged(true);
    setValue(next);
  }, []);
  const forget = useCallback(() => {
    setChanged(false);
    write(key, null);
  }, [key]);
  return [value, change, forget];
}
