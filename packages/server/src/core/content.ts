// What counts as the content of a published event: type, projectId, region and payload as JSON values, and
// createdAt where both publishers gave it. Decides whether the same id again is a repeat or a conflict.
import { isDeepStrictEqual } from 'node:util';

export interface Content {
  projectId: string | null;
  createdAtGiven: boolean;
  /** The stored body: compact JSON with type, createdAt, payload and region. */
  body: Uint8Array;
}

interface Envelope {
  type: string;
  createdAt: number;
  region: string | null;
  payload: unknown;
}

function readEnvelope(body: Uint8Array): Envelope {
  return JSON.parse(new TextDecoder().decode(body)) as Envelope;
}

/** Whether two publications of one id say the same. The order of keys does not count. */
export function sameContent(first: Content, second: Content): boolean {
  if (first.projectId !== second.projectId) return false;
  const a = readEnvelope(first.body);
  const b = readEnvelope(second.body);
  if (a.type !== b.type || (a.region ?? null) !== (b.region ?? null)) return false;
  if (first.createdAtGiven && second.createdAtGiven && a.createdAt !== b.createdAt) return false;
  return isDeepStrictEqual(a.payload, b.payload);
}
