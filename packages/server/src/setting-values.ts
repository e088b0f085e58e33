// How the text of a setting is read. Every reader answers the value, or undefined where the text is wrong.
import { isIP } from 'node:net';
import { parseDuration, parseSize } from './duration.ts';
import { parseNetworks } from './engine/guard.ts';

/** A whole number of `min` to `max`. */
export const whole = (min: number, max: number) => (text: string) => {
  const value = /^\d{1,12}$/.test(text) ? Number(text) : Number.NaN;
  return value >= min && value <= max ? value : undefined;
};
/** A duration of `min` to `max` ms, in ms. */
export const duration = (min: number, max: number) => (text: string) => {
  const ms = parseDuration(text);
  return ms !== null && ms >= min && ms <= max ? ms : undefined;
};
/** The same, or 0 for none. */
export const durationOrZero = (min: number, max: number) => (text: string) =>
  text === '0' ? 0 : duration(min, max)(text);
/** A size of `min` to `max` bytes, in bytes. */
export const size = (min: number, max: number) => (text: string) => {
  const bytes = parseSize(text);
  return bytes !== null && bytes >= min && bytes <= max ? bytes : undefined;
};
/** The items of a comma list; empty ones are skipped. */
const list = (text: string) =>
  text
    .split(',')
    .map((part) => part.trim())
    .filter((part) => part !== '');

const takenHeaders = new Set(
  (
    'connection content-length content-type expect host keep-alive te traceparent trailer transfer-encoding ' +
    'upgrade user-agent webhook-id webhook-signature webhook-timestamp'
  ).split(' '),
);

/** 32 bytes each, in base64 or hex. */
export function readKeys(text: string): Buffer[] | undefined {
  const parts = list(text);
  // Buffer.from skips what is not base64, so a damaged key would be read as another one.
  const damaged = parts.some((part) => !/^(?:[0-9a-f]{64}|[A-Za-z0-9+/_-]{43}=?)$/i.test(part));
  if (parts.length === 0 || damaged) return undefined;
  return parts.map((part) => Buffer.from(part, part.length === 64 ? 'hex' : 'base64'));
}

/** Networks as the guard reads them, kept as text. */
export function readNetworks(text: string): string | undefined {
  try {
    parseNetworks(text);
    return text;
  } catch (error) {
    if (error instanceof RangeError) return undefined;
    throw error;
  }
}

/** Networks, one by one. */
export function readNetworkList(text: string): string[] | undefined {
  return readNetworks(text) === undefined ? undefined : list(text);
}

/** 1 to 100 durations, in ms. */
export function readSchedule(text: string): number[] | undefined {
  const waits = list(text).map((part) => parseDuration(part));
  const known = waits.filter((ms) => ms !== null);
  return known.length > 0 && known.length <= 100 && known.length === waits.length ? known : undefined;
}

/** `api`, `deliver` or both. */
export function readRoles(text: string): { api: boolean; deliver: boolean } | undefined {
  const roles = list(text);
  if (roles.length === 0 || roles.some((role) => role !== 'api' && role !== 'deliver')) return undefined;
  return { api: roles.includes('api'), deliver: roles.includes('deliver') };
}

/** A header's name in lower case, if Posthorn does not send that header otherwise. */
export function readHeaderName(text: string): string | undefined {
  const name = text.toLowerCase();
  return /^[a-z0-9!#$%&'*+.^_`|~-]{1,100}$/.test(name) && !takenHeaders.has(name) ? name : undefined;
}

/** An http or https URL of an origin alone, without the slash at its end. */
export function readOrigin(text: string): string | undefined {
  const fits = /^https?:\/\/[^/?#@\s]+\/?$/.test(text) && URL.canParse(text);
  return fits ? text.replace(/\/$/, '') : undefined;
}

/** An OpenID issuer: https, or http on this machine, where nobody listens in. */
export function readIssuer(text: string): string | undefined {
  if (!URL.canParse(text)) return undefined;
  const { protocol, hostname, username, password, search, hash } = new URL(text);
  const isNear = protocol === 'http:' && ['localhost', '127.0.0.1', '[::1]'].includes(hostname);
  const isPlain = username === '' && password === '' && search === '' && hash === '' && !/[?#]/.test(text);
  return (protocol === 'https:' || isNear) && isPlain ? text : undefined;
}

/** Name servers: addresses, each with `:port` where it is not 53, IPv6 in brackets then. */
export function readServers(text: string): string[] | undefined {
  const servers = list(text);
  const fits = (server: string): boolean => {
    const [, bracketed, plain, port = '53'] = /^(?:\[([^\]]+)\]|([\d.]+))(?::(\d{1,5}))?$/.exec(server) ?? [];
    const isAddress = isIP(server) !== 0 || isIP(bracketed ?? '') === 6 || isIP(plain ?? '') === 4;
    return isAddress && Number(port) >= 1 && Number(port) <= 65_535;
  };
  return servers.every(fits) ? servers : undefined;
}

/** A PostgreSQL URL with a host and a database, kept as text. */
export function readDatabaseUrl(text: string): string | undefined {
  if (!/^postgres(?:ql)?:\/\//.test(text) || !URL.canParse(text)) return undefined;
  const { hostname, pathname } = new URL(text);
  return hostname !== '' && pathname.length > 1 ? text : undefined;
}
