// Where an attempt's time went.
import type { Attempt } from '../../api/types.ts';

export interface Phase {
  name: 'dns' | 'connect' | 'tls' | 'wait' | 'read';
  label: string;
  ms: number;
}

/** The phases that took place, in order. A connection that was used again has no first three. */
export function phasesOf({ dnsMs, connectMs, tlsMs, firstByteMs, totalMs }: Attempt['timings']): Phase[] {
  const before = (dnsMs ?? 0) + (connectMs ?? 0) + (tlsMs ?? 0);
  const phases: Phase[] = [];
  const add = (name: Phase['name'], label: string, ms: number | null) => {
    if (ms !== null) phases.push({ name, label, ms: Math.max(0, ms) });
  };
  add('dns', 'DNS', dnsMs);
  add('connect', 'Connect', connectMs);
  add('tls', 'TLS', tlsMs);
  add('wait', 'First byte', firstByteMs);
  const total = totalMs ?? 0;
  const rest = total - before - (firstByteMs ?? 0);
  // Without a first byte the rest was waiting for it.
  if (firstByteMs !== null) add('read', 'Reading', rest);
  else if (rest > 0.5) add('wait', 'Waiting', rest);
  return phases;
}
