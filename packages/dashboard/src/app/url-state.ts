// Filters live in the address, so that a link shows what its sender saw.
import { useCallback } from 'react';
import { useSearchParams } from 'wouter';

/**
 * The named parameters of the address as text, '' where one is missing, and a setter for some of them at once.
 * Setting replaces the entry of the history: Back leaves the page instead of undoing filters one by one.
 */
export function useUrlState<Name extends string>(
  names: readonly Name[],
): [Record<Name, string>, (patch: Partial<Record<Name, string>>) => void] {
  const [params, setParams] = useSearchParams();
  const values = Object.fromEntries(names.map((name) => [name, params.get(name) ?? ''])) as Record<
    Name,
    string
  >;
  const change = useCallback(
    (patch: Partial<Record<Name, string>>) => {
      setParams(
        (before) => {
          const after = new URLSearchParams(before);
          for (const [name, value] of Object.entries<string | undefined>(patch)) {
            if (value === undefined || value === '') after.delete(name);
            else after.set(name, value);
          }
          return after;
        },
        { replace: true },
      );
    },
    [setParams],
  );
  return [values, change];
}
