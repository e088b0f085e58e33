// Keyboard shortcuts: whoever has one says so while it is on the page, and `?` lists what there is.
import { useEffect, useRef, useSyncExternalStore } from 'react';

export interface Shortcut {
  /** One key, or two after one another: `?`, `g w`. */
  keys: string;
  does: string;
  group: string;
}

interface Registered extends Shortcut {
  run: { current: () => void };
}

let registered: Registered[] = [];
const listeners = new Set<() => void>();
let pending: string | null = null;
let pendingTimer: ReturnType<typeof setTimeout> | undefined;
const secondKeyMs = 1_200;

function change(next: Registered[]): void {
  registered = next;
  for (const listener of listeners) listener();
}

/** What is typed into a field, and what a dialog or a menu hears, is not a shortcut. */
function isMeantForSomethingElse(event: KeyboardEvent): boolean {
  if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey) return true;
  const { target } = event;
  if (!(target instanceof HTMLElement)) return false;
  return (
    target.isContentEditable ||
    target.closest('input:not([type="checkbox"], [type="radio"]), textarea, select') !== null ||
    target.closest('[role="dialog"], [role="alertdialog"], [role="menu"], [role="listbox"]') !== null
  );
}

document.addEventListener('keydown', (event) => {
  if (isMeantForSomethingElse(event) || event.key === 'Shift') return;
  const sequence = pending === null ? event.key : `${pending} ${event.key}`;
  clearTimeout(pendingTimer);
  pending = null;
  const found = registered.findLast(({ keys }) => keys === sequence);
  if (found !== undefined) {
    event.preventDefault();
    found.run.current();
  } else if (registered.some(({ keys }) => keys.startsWith(`${event.key} `))) {
    pending = event.key;
    pendingTimer = setTimeout(() => {
      pending = null;
    }, secondKeyMs);
  }
});

/** Registers a shortcut for as long as the component is on the page. */
export function useShortcut(keys: string, group: string, does: string, run: () => void): void {
  const latest = useRef(run);
  useEffect(() => {
    latest.current = run;
  });
  useEffect(() => {
    const own: Registered = { keys, group, does, run: latest };
    change([...registered, own]);
    return () => change(registered.filter((one) => one !== own));
  }, [keys, group, does]);
}

/** All shortcuts that work on the page as it is. */
export function useShortcuts(): readonly Shortcut[] {
  return useSyncExternalStore(
    (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    () => registered,
  );
}
