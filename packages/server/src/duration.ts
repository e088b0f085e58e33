// Durations and sizes as people write them in settings: `500ms`, `5s`, `1m`, `2h`, `1d`; `512KiB`, `1MiB`.

const units = new Map([
  ['ms', 1],
  ['s', 1_000],
  ['m', 60_000],
  ['h', 3_600_000],
  ['d', 86_400_000],
]);
const sizes = new Map([
  ['B', 1],
  ['KiB', 1_024],
  ['MiB', 1_048_576],
  ['GiB', 1_073_741_824],
]);
/** A year: anything longer is a slip of the pen. */
const longestMs = 365 * 86_400_000;

/** Milliseconds, or null if the text is no duration. */
export function parseDuration(text: string): number | null {
  const [, count, unit = ''] = /^(\d{1,9}(?:\.\d{1,3})?)(ms|s|m|h|d)$/.exec(text.trim()) ?? [];
  const unitMs = units.get(unit);
  if (unitMs === undefined) return null;
  const ms = Math.round(Number(count) * unitMs);
  return ms <= longestMs ? ms : null;
}

/** The shortest text that `parseDuration` reads as `ms` (a whole number). */
export function formatDuration(ms: number): string {
  for (const [unit, unitMs] of [...units].toReversed()) {
    if (ms > 0 && ms % unitMs === 0) return `${ms / unitMs}${unit}`;
  }
  return `${ms}ms`;
}

/** Bytes, or null if the text is no size. */
export function parseSize(text: string): number | null {
  const [, count, unit = 'B'] = /^(\d{1,12})\s*(B|KiB|MiB|GiB)?$/.exec(text.trim()) ?? [];
  const bytes = sizes.get(unit);
  return count === undefined || bytes === undefined ? null : Number(count) * bytes;
}
