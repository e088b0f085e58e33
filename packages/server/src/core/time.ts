// Times in queries and bodies: epoch milliseconds, or ISO 8601.

const latest = 8_640_000_000_000_000;
const iso = /^(\d{4}-\d{2}-\d{2})(T\d{2}:\d{2}(:\d{2}(\.\d{1,9})?)?(Z|[+-]\d{2}:?\d{2})?)?$/;

/** Epoch ms, or null if the value is no time. Text may hold either form; without a zone it is UTC. */
export function readTime(value: number | string): number | null {
  if (typeof value === 'number')
    return Number.isInteger(value) && value >= 0 && value <= latest ? value : null;
  if (/^\d{1,16}$/.test(value)) return readTime(Number(value));
  const parts = iso.exec(value);
  if (parts === null) return null;
  const [, day = '', time, , , zone] = parts;
  // Date.parse takes 30 February for 2 March.
  const midnight = Date.parse(day);
  if (Number.isNaN(midnight) || !new Date(midnight).toISOString().startsWith(day)) return null;
  const at = Date.parse(time !== undefined && zone === undefined ? `${value}Z` : value);
  return Number.isNaN(at) ? null : at;
}
