// Which places a variable stands for, and what becomes of variables that are written over others. Pure: a place is
// an environment, a branch of previews or a custom environment, and has at most one variable of each key.

export const targets = ['production', 'preview', 'development'] as const;
export type Target = (typeof targets)[number];

export interface Placement {
  target: readonly Target[];
  gitBranch: string | null;
  customEnvironmentIds: readonly string[];
}

/** A variable that is there already. */
export interface Standing extends Placement {
  id: string;
  key: string;
}

/**
 * What is to be done with one variable that is written. `overwrite`: it takes the place of the variable `id`.
 * `conflict`: the variable `id` is in the way; null for one that is written before it in the same call.
 */
export type Plan =
  | { kind: 'create' }
  | { kind: 'overwrite'; id: string }
  | { kind: 'conflict'; id: string | null };

/** The places of a variable, as they are stored: no two variables of a project and key share one. */
export function placesOf({ target, gitBranch, customEnvironmentIds }: Placement): string[] {
  const places = target.map((name) => (gitBranch === null ? name : `${name}/${gitBranch}`));
  return [...new Set([...places, ...customEnvironmentIds.map((id) => `custom/${id}`)])];
}

/** What is wrong with where a variable is to stand, as a sentence; null if nothing is. */
export function explainPlacement({ target, gitBranch, customEnvironmentIds }: Placement): string | null {
  if (target.length === 0 && customEnvironmentIds.length === 0)
    return 'Say where the variable stands: target (production, preview, development) or customEnvironmentIds.';
  if (
    gitBranch !== null &&
    (target.length !== 1 || target[0] !== 'preview' || customEnvironmentIds.length > 0)
  )
    return 'gitBranch is only for variables whose target is preview alone.';
  return null;
}

/**
 * Decides what becomes of each variable that is written.
 * @param upsert whether a variable may be written over: then one all of whose places the new one takes
 */
export function planVariables(
  written: readonly (Placement & { key: string })[],
  standing: readonly Standing[],
  upsert: boolean,
): Plan[] {
  const holders = new Map<string, string | null>();
  const countOf = new Map<string, number>();
  for (const variable of standing) {
    const places = placesOf(variable);
    countOf.set(variable.id, places.length);
    for (const place of places) holders.set(spot(variable.key, place), variable.id);
  }
  return written.map((variable) => {
    const places = placesOf(variable);
    const held = places
      .map((place) => holders.get(spot(variable.key, place)))
      .filter((id) => id !== undefined);
    const plan = judge(held);
    if (plan.kind !== 'conflict') for (const place of places) holders.set(spot(variable.key, place), null);
    return plan;
  });

  function judge(held: readonly (string | null)[]): Plan {
    const [first] = held;
    if (first === undefined) return { kind: 'create' };
    const whole = first !== null && held.every((id) => id === first) && held.length === countOf.get(first);
    if (upsert && whole) return { kind: 'overwrite', id: first };
    return { kind: 'conflict', id: first };
  }
}

const spot = (key: string, place: string) => `${key}\0${place}`;
