// Times, lengths of time and numbers as people read them.

const second = 1_000;
const minute = 60 * second;
const hour = 60 * minute;
const day = 24 * hour;

const months = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];
const two = (value: number) => String(value).padStart(2, '0');

/** "3m ago", "in 20s", "Nov 3", by the distance from `nowAt`. */
export function relativeTime(at: number, nowAt: number): string {
  const distance = nowAt - at;
  const size = Math.abs(distance);
  if (size < 2 * second) return 'just now';
  const amount =
    size < minute
      ? `${Math.round(size / second)}s`
      : size < hour
        ? `${Math.floor(size / minute)}m`
        : size < day
          ? `${Math.floor(size / hour)}h`
          : size < 7 * day
            ? `${Math.floor(size / day)}d`
            : null;
  if (amount !== null) return distance >= 0 ? `${amount} ago` : `in ${amount}`;
  const date = new Date(at);
  const sameYear = date.getUTCFullYear() === new Date(nowAt).getUTCFullYear();
  const text = `${months[date.getUTCMonth()]} ${date.getUTCDate()}`;
  return sameYear ? text : `${text}, ${date.getUTCFullYear()}`;
}

/** "Nov 26, 2026, 04:12:09.250 UTC". */
export function exactTime(at: number): string {
  const date = new Date(at);
  if (Number.isNaN(date.getTime())) return 'an impossible time';
  const clock = `${two(date.getUTCHours())}:${two(date.getUTCMinutes())}:${two(date.getUTCSeconds())}`;
  const ms = String(date.getUTCMilliseconds()).padStart(3, '0');
  return `${months[date.getUTCMonth()]} ${date.getUTCDate()}, ${date.getUTCFullYear()}, ${clock}.${ms} UTC`;
}

/** "12 ms", "1.4 s", "2m 5s", "3h 20m", "4d 2h". */
export function formatMs(ms: number): string {
  if (ms < 10 && !Number.isInteger(ms)) return `${ms.toFixed(1)} ms`;
  if (ms < second) return `${Math.round(ms)} ms`;
  if (ms < 10 * second) return `${(ms / second).toFixed(1)} s`;
  if (ms < minute) return `${Math.round(ms / second)} s`;
  const pair = (big: number, small: number, units: string) => {
    const first = Math.floor(ms / big);
    const rest = Math.floor((ms % big) / small);
    return rest === 0 ? `${first}${units[0]}` : `${first}${units[0]} ${rest}${units[1]}`;
  };
  if (ms < hour) return pair(minute, second, 'ms');
  if (ms < day) return pair(hour, minute, 'hm');
  return pair(day, hour, 'dh');
}

export const formatCount = (value: number): string => value.toLocaleString('en');

/** "1 webhook", "2 webhooks". */
export const countOf = (value: number, one: string, many = `${one}s`): string =>
  `${formatCount(value)} ${value === 1 ? one : many}`;

/** "99.2%", a share of 1; nothing but 1 is "100%". */
export function formatShare(share: number): string {
  const percent = Math.floor(share * 1_000) / 10;
  return `${percent.toFixed(percent === 100 || percent === 0 ? 0 : 1)}%`;
}

export function formatBytes(bytes: number): string {
  if (bytes < 1_024) return `${bytes} B`;
  const units = ['KiB', 'MiB', 'GiB', 'TiB'];
  let value = bytes / 1_024;
  let unit = 0;
  while (value >= 1_024 && unit < units.length - 1) {
    value /= 1_024;
    unit += 1;
  }
  return `${value.toFixed(value < 10 ? 1 : 0)} ${units[unit]}`;
}
