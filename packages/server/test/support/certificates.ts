// Certificates for whole-system tests, made once a process: an authority that a test trusts on purpose, and
// servers' certificates that are right, expired, for another host, or signed by nobody.
import { generate } from 'selfsigned';

export interface Certificate {
  key: string;
  cert: string;
}

export interface Certificates {
  /** The authority's certificate, PEM: what a sender must be told to trust. */
  ca: string;
  /** For localhost, receiver.example, 127.0.0.1 and ::1, signed by the authority. */
  good: Certificate;
  expired: Certificate;
  /** For other.example only. */
  wrongHost: Certificate;
  /** The good one's names, signed by itself. */
  untrusted: Certificate;
}

const DAY_MS = 86_400_000;

type Names = NonNullable<NonNullable<Parameters<typeof generate>[1]>['extensions']>;

function namesOf(hosts: readonly string[], addresses: readonly string[]): Names {
  const altNames = [
    ...hosts.map((value) => ({ type: 2 as const, value })),
    ...addresses.map((ip) => ({ type: 7 as const, ip })),
  ];
  return [
    { name: 'basicConstraints', cA: false },
    { name: 'subjectAltName', altNames },
  ];
}

const ours = namesOf(['localhost', 'receiver.example'], ['127.0.0.1', '::1']);

async function make(
  commonName: string,
  options: NonNullable<Parameters<typeof generate>[1]>,
): Promise<Certificate> {
  const made = await generate([{ name: 'commonName', value: commonName }], {
    keyType: 'ec',
    algorithm: 'sha256',
    notBeforeDate: new Date(Date.now() - DAY_MS),
    notAfterDate: new Date(Date.now() + 30 * DAY_MS),
    ...options,
  });
  return { key: made.private, cert: made.cert };
}

async function makeAll(): Promise<Certificates> {
  const authority = await make('Posthorn test authority', {
    extensions: [
      { name: 'basicConstraints', cA: true, critical: true },
      { name: 'keyUsage', keyCertSign: true, cRLSign: true, critical: true },
    ],
  });
  const [good, expired, wrongHost, untrusted] = await Promise.all([
    make('receiver.example', { ca: authority, extensions: ours }),
    make('receiver.example', {
      ca: authority,
      extensions: ours,
      notBeforeDate: new Date(Date.now() - 3 * DAY_MS),
      notAfterDate: new Date(Date.now() - DAY_MS),
    }),
    make('other.example', { ca: authority, extensions: namesOf(['other.example'], []) }),
    make('receiver.example', { extensions: ours }),
  ]);
  return { ca: authority.cert, good, expired, wrongHost, untrusted };
}

let made: Promise<Certificates> | null = null;

/** The certificates of this process, made at the first call (EC keys: a few milliseconds). */
export function makeCertificates(): Promise<Certificates> {
  made ??= makeAll();
  return made;
}
