// The event that every run publishes: one `deployment.succeeded` of exactly 1 KiB, in the shape that Vercel
// documents. Its meta carries a sequence number and the intended send time in fixed-width digits, so that the
// generator patches a prepared request in place and the sink finds both without parsing JSON.

export const eventType = 'deployment.succeeded';
export const eventBytes = 1024;

const seqWidth = 10;
const intendedWidth = 16;
const seqKey = '"seq":"';
const intendedKey = '","at":"';

/** What an event carries for the sink: which one it is and when it should have been sent, in `nowUs` time. */
export interface Mark {
  seq: number;
  intendedUs: number;
}

/** A request that is sent again and again with another mark. */
export interface PreparedRequest {
  bytes: Buffer;
  /** Writes the mark into the bytes. Safe only after the last sending of these bytes was answered. */
  mark(seq: number, intendedUs: number): void;
}

/** Microseconds of the machine's monotonic clock, which all processes of one machine share. */
export function nowUs(): number {
  return Number(process.hrtime.bigint() / 1000n);
}

/** The payload of the event with that number, and room for `note`. */
function payloadOf(seq: string, note: string) {
  return {
    deployment: {
      meta: {
        seq,
        at: '0'.repeat(intendedWidth),
        githubCommitRef: 'main',
        githubDeployment: '1',
        note,
      },
      id: 'dpl_5wRjZ8q2TtKcVb1NxYpLmHs3',
      name: 'storefront',
      url: 'storefront-5wrjz8q2t-acme.vercel.app',
    },
    links: {
      deployment: 'https://vercel.com/acme/storefront/5wRjZ8q2TtKcVb1NxYpLmHs3',
      project: 'https://vercel.com/acme/storefront',
    },
    target: 'production',
    project: { id: 'prj_Qf2mD8sK1yXw7LbR4TnZ0cVe' },
    plan: 'pro',
    regions: ['iad1', 'fra1'],
    team: { id: 'team_h3Jk9PqL2mNv5RtX8wYz1bCd' },
    user: { id: 'Vq7xL2mN9pR4tW6yB1cD3fGh' },
  };
}

const eventBody = (note: string): string =>
  JSON.stringify({ type: eventType, payload: payloadOf('0'.repeat(seqWidth), note) });

/** What fills the event up to `eventBytes`. */
const filling = 'x'.repeat(eventBytes - eventBody('').length);

/** The payload of the event with that number, as large as the published one, for what is seeded. */
export function makePayload(seq: number) {
  return payloadOf(String(seq).padStart(seqWidth, '0'), filling);
}

/** The body of one publish call, `eventBytes` long, its mark all zeros. */
export function prepareBody(): Buffer {
  const body = Buffer.from(eventBody(filling));
  if (body.length !== eventBytes) throw new Error(`the event is ${body.length} bytes, not ${eventBytes}`);
  return body;
}

/** A whole `POST` request that publishes the event at `path`, e.g. `/v1/events?teamId=…`. */
export function prepareRequest(path: string, port: number, token: string): PreparedRequest {
  const body = prepareBody();
  const head =
    `POST ${path} HTTP/1.1\r\nhost: 127.0.0.1:${port}\r\nauthorization: Bearer ${token}\r\n` +
    `content-type: application/json\r\ncontent-length: ${body.length}\r\n\r\n`;
  const bytes = Buffer.concat([Buffer.from(head), body]);
  const seqAt = bytes.indexOf(seqKey) + seqKey.length;
  const intendedAt = seqAt + seqWidth + intendedKey.length;
  return {
    bytes,
    mark(seq, intendedUs) {
      writeDigits(bytes, seqAt, seqWidth, seq);
      writeDigits(bytes, intendedAt, intendedWidth, intendedUs);
    },
  };
}

const seqNeedle = Buffer.from(seqKey);

/** Reads the mark of the event whose body is `bytes[from, to)`; null where there is none. */
export function readMark(bytes: Buffer, from: number, to: number): Mark | null {
  const keyAt = bytes.indexOf(seqNeedle, from);
  const seqAt = keyAt + seqNeedle.length;
  const intendedAt = seqAt + seqWidth + intendedKey.length;
  if (keyAt === -1 || intendedAt + intendedWidth > to) return null;
  const seq = readDigits(bytes, seqAt, seqWidth);
  const intendedUs = readDigits(bytes, intendedAt, intendedWidth);
  return Number.isNaN(seq) || Number.isNaN(intendedUs) ? null : { seq, intendedUs };
}

function writeDigits(bytes: Buffer, at: number, width: number, value: number): void {
  let rest = value;
  for (let position = at + width - 1; position >= at; position--) {
    bytes[position] = 48 + (rest % 10);
    rest = Math.floor(rest / 10);
  }
}

function readDigits(bytes: Buffer, at: number, width: number): number {
  let value = 0;
  for (let position = at; position < at + width; position++) {
    const digit = (bytes[position] ?? 0) - 48;
    if (digit < 0 || digit > 9) return Number.NaN;
    value = value * 10 + digit;
  }
  return value;
}
