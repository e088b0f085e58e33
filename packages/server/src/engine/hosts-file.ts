// The hosts file, which the c-ares resolver ignores: names to addresses, read again when the file changes.
import { readFileSync, statSync } from 'node:fs';
import { isIP } from 'node:net';
import type { Clock } from '../clock.ts';

const LOOK_AGAIN_MS = 1_000;

/** Returns a function that tells whether the file changed since it was last asked; looks at most once a second. */
export function watchFile(path: string, clock: Clock): () => boolean {
  let lookedAt = Number.NEGATIVE_INFINITY;
  let seen = '';
  return () => {
    if (clock.monotonic() - lookedAt < LOOK_AGAIN_MS) return false;
    lookedAt = clock.monotonic();
    const stat = statSync(path, { throwIfNoEntry: false });
    const now = stat ? `${stat.mtimeMs} ${stat.size} ${stat.ino}` : 'missing';
    if (now === seen) return false;
    seen = now;
    return true;
  };
}

/** Reads lines of `address name name …`; what follows a `#` and lines without an address are skipped. */
export function parseHosts(text: string): Map<string, string[]> {
  const addressesByName = new Map<string, string[]>();
  for (const line of text.split('\n')) {
    const [address = '', ...names] = (line.split('#', 1)[0] ?? '').trim().split(/\s+/);
    if (isIP(address) === 0) continue;
    for (const name of names) {
      const key = name.toLowerCase().replace(/\.$/, '');
      const known = addressesByName.get(key);
      if (known === undefined) addressesByName.set(key, [address]);
      else if (!known.includes(address)) known.push(address);
    }
  }
  return addressesByName;
}

/** Returns the lookup in the hosts file at `path`: the addresses of a lower-case name, or undefined. */
export function openHostsFile(path: string, clock: Clock): (name: string) => string[] | undefined {
  const changed = watchFile(path, clock);
  let hosts = new Map<string, string[]>();
  return (name) => {
    if (changed()) hosts = parseHosts(readOrEmpty(path));
    return hosts.get(name);
  };
}

function readOrEmpty(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    // No hosts file, or none that may be read: the name servers answer for every name then.
    return '';
  }
}
