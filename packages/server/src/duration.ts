// Durations and sizes as people write them in settings: `500ms`, `5s`, `1m`, `2h`, `1d`; `512KiB`, `1MiB`.

const units = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const;
const sizes = { '': 1, B: 1, KiB: 1_024, MiB: 1_048_576, GiB: 1_073_741_824 } as const;
/** A year: anything longer is a slip of the pen. */
const longestMs = 365 * units.d;

/** Milliseconds, or null if the text is no duration. */
export function parseDuration(text: string): number | null {
  const match = /^(\d{1,9}(?:\.\d{1,3})?)(ms|s|m|h|d)$/.exec(text.trim());
  if (match === null) return null;
  const ms = Math.round(Number(match[1]) * units[match[2] as keyof typeof units]);
  return ms <= longestMs ? ms : null;
}

/** The shortest text that `parseDuration` reads as `ms` (a whole number). */
export function formatDuration(ms: number): string {
  for (const unit of ['d', 'h', 'm', 's'] as const) {
    if (ms > 0 && ms % units[unit] === 0) return `${ms / units[unit]}${unit}`;
  }
  return `${ms}ms`;
}

/** Bytes, or null if the text is no size. */
export function parseSize(text: string): number | null {
  const match = /^(\d{1,12})\s*(B|KiB|MiB|GiB)?$/.exec(text.trim());
  if (match === null) return null;
  return Number(match[1]) * sizes[(match[2] ?? '') as keyof typeof sizes];
}
