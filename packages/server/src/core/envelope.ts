// An event's body: the bytes that are stored, signed, sent and shown. Compact JSON that survives
// JSON.stringify(JSON.parse(body)), because some receivers verify what they have serialised again.

export interface EnvelopeFields {
  id: string;
  type: string;
  createdAt: number;
  payload: unknown;
  region: string | null;
}

/** What only legacy (hyphenated) types have beside the five fields. */
export interface LegacyFields {
  clientId: string | null;
  ownerId: string;
  teamId: string | null;
  userId: string | null;
}

/** Serialises an event once. The id stands first, where `eventIdOf` finds it. */
export function serialiseEvent(fields: EnvelopeFields, legacy: LegacyFields | null): Buffer {
  const { id, type, createdAt, payload, region } = fields;
  return Buffer.from(JSON.stringify({ id, type, createdAt, payload, region, ...legacy }));
}

const idAt = '{"id":"'.length;
const quote = 0x22;

/** The event's id, read from its body. Ids have no character that JSON escapes. */
export function eventIdOf(body: Buffer): string {
  return body.toString('latin1', idAt, body.indexOf(quote, idAt));
}
