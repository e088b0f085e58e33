// Does a signature fit a body and a secret, and if not, which usual mistake explains it? Runs in the browser only: the
// secret goes nowhere. The signature is Vercel's: lowercase hex HMAC-SHA1 of the body's bytes, keyed by the secret's.

export type Verdict =
  | { kind: 'match' }
  /** What was done to the body, the secret or the signature that makes them fit, each a sentence. */
  | { kind: 'mistake'; mistakes: string[] }
  | { kind: 'unknown' };

interface Variant {
  text: string;
  /** Null for what was given. */
  mistake: string | null;
}

const encoder = new TextEncoder();

async function hmac(
  hash: 'SHA-1' | 'SHA-256',
  key: Uint8Array<ArrayBuffer>,
  body: string,
): Promise<Uint8Array> {
  const imported = await crypto.subtle.importKey('raw', key, { name: 'HMAC', hash }, false, ['sign']);
  return new Uint8Array(await crypto.subtle.sign('HMAC', imported, encoder.encode(body)));
}

const toHex = (bytes: Uint8Array): string =>
  Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
const toBase64 = (bytes: Uint8Array): string => btoa(String.fromCharCode(...bytes));

/** What `x-vercel-signature` should be. */
export async function signatureOf(body: string, secret: string): Promise<string> {
  return toHex(await hmac('SHA-1', encoder.encode(secret), body));
}

/**
 * Checks a signature.
 * @param header the value of `x-vercel-signature`, as it was received or computed
 */
export async function checkSignature(body: string, header: string, secret: string): Promise<Verdict> {
  if (secret === '' || header === '') return { kind: 'unknown' };
  const bodies = bodyVariants(body);
  const secrets = secretVariants(secret);
  const headers = headerVariants(header);
  let best: string[] | null = null;
  for (const oneBody of bodies) {
    for (const oneSecret of secrets) {
      for (const { form, mistake } of await formsOf(oneBody.text, oneSecret)) {
        for (const oneHeader of headers) {
          if (form !== oneHeader.text) continue;
          const mistakes = [oneHeader.mistake, mistake, oneSecret.mistake, oneBody.mistake].filter(
            (one) => one !== null,
          );
          if (mistakes.length === 0) return { kind: 'match' };
          if (best === null || mistakes.length < best.length) best = mistakes;
        }
      }
    }
  }
  return best === null ? { kind: 'unknown' } : { kind: 'mistake', mistakes: best };
}

interface Key extends Variant {
  bytes: Uint8Array<ArrayBuffer>;
}

/** Every form in which the signature of a body may have been written down, the right one first. */
async function formsOf(body: string, { bytes }: Key): Promise<{ form: string; mistake: string | null }[]> {
  const sha1 = await hmac('SHA-1', bytes, body);
  const sha256 = await hmac('SHA-256', bytes, body);
  return [
    { form: toHex(sha1), mistake: null },
    { form: toBase64(sha1), mistake: 'The signature is in base64; it has to be in lowercase hex.' },
    {
      form: toHex(sha256),
      mistake: 'The signature was made with SHA-256; x-vercel-signature is HMAC with SHA-1.',
    },
    {
      form: toBase64(sha256),
      mistake: 'The signature was made with SHA-256 and is in base64; it has to be HMAC with SHA-1, in hex.',
    },
  ];
}

function headerVariants(header: string): Variant[] {
  const bare = header.trim();
  const variants: Variant[] = [{ text: header, mistake: null }];
  const add = (text: string, mistake: string) => {
    if (variants.every((one) => one.text !== text)) variants.push({ text, mistake });
  };
  add(bare, 'The signature has space or a line break around it.');
  add(
    bare.replace(/^(?:sha1|sha256|v1)[=,]/i, ''),
    'The signature has a prefix such as “sha1=”; the header is the bare hex.',
  );
  if (/^[0-9A-F]+$/.test(bare)) add(bare.toLowerCase(), 'The hex is in capitals; it has to be in lowercase.');
  return variants;
}

function secretVariants(secret: string): Key[] {
  const keys: Key[] = [{ text: secret, mistake: null, bytes: encoder.encode(secret) }];
  const add = (text: string, mistake: string, bytes = encoder.encode(text)) => {
    if (text !== '' && (text !== secret || mistake.includes('decoded'))) keys.push({ text, mistake, bytes });
  };
  add(
    secret.trim(),
    'The secret has space or a line break around it: trim what you read from the file or variable.',
  );
  add(secret.trim().replace(/^["']|["']$/g, ''), 'The secret has quotation marks around it.');
  add(secret.trim().replace(/^whsec_/, ''), 'The secret has “whsec_” before it: leave that away.');
  const decoded = fromBase64(secret.trim());
  if (decoded !== null) {
    add(
      secret,
      'The secret was decoded from base64 first; for x-vercel-signature its characters themselves are the key.',
      decoded,
    );
  }
  return keys;
}

function fromBase64(text: string): Uint8Array<ArrayBuffer> | null {
  try {
    return Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
  } catch {
    return null;
  }
}

const reserialised =
  'The body was parsed and serialised again. Sign the bytes as they came: read the raw body before any JSON parser.';

function bodyVariants(body: string): Variant[] {
  const variants: Variant[] = [{ text: body, mistake: null }];
  const add = (text: string | null, mistake: string) => {
    if (text !== null && variants.every((one) => one.text !== text)) variants.push({ text, mistake });
  };
  add(body.replace(/\r?\n$/, ''), 'There is a line break at the end of the body that was not sent.');
  add(`${body}\n`, 'A line break at the end of the body was trimmed away.');
  add(body.trim(), 'There is space around the body that was not sent.');
  const parsed = parse(body);
  if (parsed !== undefined) {
    const compact = JSON.stringify(parsed);
    const pretty = (indent: number | string) => JSON.stringify(parsed, null, indent);
    add(compact, reserialised);
    for (const indent of [2, 4, '\t']) add(pretty(indent), reserialised);
    add(spaced(compact), reserialised);
    add(escapeNonAscii(compact), `${reserialised} Characters beyond ASCII were escaped.`);
    add(spaced(escapeNonAscii(compact)), `${reserialised} Characters beyond ASCII were escaped.`);
    add(sortKeys(parsed), `${reserialised} The keys were put into another order.`);
  }
  add(decodeEscapes(body), 'Escaped characters in the body (\\u00e9, %C3%A9) were decoded.');
  add(decodePercent(body), 'Escaped characters in the body (\\u00e9, %C3%A9) were decoded.');
  add(latin1ToUtf8(body), 'The body was read as Latin-1; it is UTF-8.');
  add(body.replaceAll('\r\n', '\n'), 'Line breaks in the body were changed.');
  return variants;
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** As Python's json.dumps writes it: a space after each comma and colon outside of strings. */
const spaced = (compact: string): string =>
  compact.replace(/"(?:[^"\\]|\\.)*"|[,:]/g, (token) => (token.length === 1 ? `${token} ` : token));

const escapeNonAscii = (text: string): string =>
  text.replace(/[\u0080-\uffff]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`);

const decodeEscapes = (text: string): string =>
  text.replace(/\\u([0-9a-fA-F]{4})/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)));

function decodePercent(text: string): string | null {
  try {
    return decodeURIComponent(text);
  } catch {
    return null;
  }
}

/** "Ã©" back to "é"; null where the text can't have come about so. */
function latin1ToUtf8(text: string): string | null {
  if (!/[\u0080-\u00ff]/.test(text) || /[\u0100-\uffff]/.test(text)) return null;
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(
      Uint8Array.from(text, (character) => character.charCodeAt(0)),
    );
  } catch {
    return null;
  }
}

const sortKeys = (value: unknown): string =>
  JSON.stringify(value, (_, inner: unknown) =>
    typeof inner === 'object' && inner !== null && !Array.isArray(inner)
      ? Object.fromEntries(Object.entries(inner).toSorted(([a], [b]) => (a < b ? -1 : 1)))
      : inner,
  );
