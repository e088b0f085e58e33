// What the tester and the receiver's process say to each other.
import type { ReceivedLine } from '../judge/history.ts';

export interface ReceiverSettings {
  seed: number;
  /** Where its record is written. */
  path: string;
  timeoutMs: number;
}

export type ToReceiver =
  | { kind: 'start'; settings: ReceiverSettings }
  /** From now on hooks named `rough` misbehave, or no longer do. */
  | { kind: 'rough'; rough: boolean }
  | { kind: 'stop' };

export type FromReceiver = { kind: 'started'; port: number } | { kind: 'heard' } | { kind: 'stopped' };

/** Which headers name the event; they differ between senders, and one that sends headers of ours is given this. */
export const eventHeader = 'x-torture-event';
const idHeaders = [eventHeader, 'webhook-id', 'svix-id', 'x-outpost-event-id'];
const signatureHeaders =
  /^(?:x-.*signature|x-outpost-.*|webhook-(?:signature|timestamp)|svix-(?:signature|timestamp))$/;
/** The node that sent it names itself in the name of its signature's header. */
const nodeHeader = /^x-torture-(\d+)-signature$/;

/** Reads from the headers of a request what the record keeps of it. */
export function readHeaders(
  headers: NodeJS.Dict<string | string[]>,
): Pick<ReceivedLine, 'event' | 'node' | 'trace' | 'signatures'> {
  const one = (name: string): string | null => {
    const value = headers[name];
    return typeof value === 'string' ? value : null;
  };
  const signatures: Record<string, string> = {};
  let node: number | null = null;
  for (const name of Object.keys(headers)) {
    if (!signatureHeaders.test(name)) continue;
    const named = nodeHeader.exec(name);
    if (named !== null) node = Number(named[1]);
    signatures[named === null ? name : 'x-vercel-signature'] = one(name) ?? '';
  }
  const event = idHeaders.map(one).find((id) => id !== null) ?? '';
  return { event, node, trace: one('traceparent'), signatures };
}
