// Lots: the events of a batch that match alike, for which the accept statement matches and judges once.
import type { NewEvent } from '../store.ts';

/** Events that match alike, so few that they are held all or none. */
export interface Lot {
  no: number;
  /** One of them. */
  event: NewEvent;
  events: number;
  bytes: number;
}

/** How many events, and of how many bytes, a lot has at the most; one alone may be larger. */
const mostInLot = { events: 64, bytes: 262_144 };

/** The lots of a batch, and in which each event lies. */
export function lotsOf(events: readonly NewEvent[]): { lots: Lot[]; lotOf: number[] } {
  const lots: Lot[] = [];
  const open = new Map<string, Lot>();
  const lotOf = events.map((event) => {
    const { teamId, type, projectId, only, body } = event;
    const key = `${teamId}\0${type}\0${projectId ?? ''}\0${only ?? ''}`;
    let lot = open.get(key);
    if (lot === undefined || lot.events === mostInLot.events || lot.bytes + body.length > mostInLot.bytes) {
      lot = { no: lots.length, event, events: 0, bytes: 0 };
      lots.push(lot);
      open.set(key, lot);
    }
    lot.events += 1;
    lot.bytes += body.length;
    return lot.no;
  });
  return { lots, lotOf };
}
