// What to tell the operator of a database that could not be opened.
import { StoreError } from '../errors.ts';
import { codeOf } from './connection.ts';
import { certificateTroubles } from './tls.ts';

/** What to say of a database that could not be opened, by the code of its error. */
const startTroubles: Record<string, string> = {
  ...certificateTroubles,
  '28P01': 'refuses the password. Check user and password in DATABASE_URL.',
  '28000': 'refuses this user. Check the user in DATABASE_URL, and pg_hba.conf on the server.',
  '3D000': 'does not exist on that server. Create it, or check the name in DATABASE_URL.',
  '42501':
    "does not let this user make or change tables. Grant it CREATE on the schema, or use the tables' owner.",
  '25006': 'takes no writes, as a standby does. Let DATABASE_URL lead to the primary.',
  '53100': 'has no room left on its disk. Make room there.',
  '53300': 'has no session left. Raise max_connections there, or lower POSTHORN_DATABASE_CONNECTIONS.',
  ENOTFOUND: 'has a host that no name server knows. Check the host in DATABASE_URL.',
};

/** Where the code does not say it, by the message. */
const spokenTroubles: [RegExp, string][] = [
  [/no encryption/, 'speaks to this user over TLS only. Add sslmode=verify-full to DATABASE_URL.'],
  [/valid client certificate/, 'wants a certificate of ours. Add sslcert and sslkey to DATABASE_URL.'],
  [
    /does not support SSL/,
    'speaks no TLS. Turn it on there (ssl = on), or use sslmode=disable in DATABASE_URL.',
  ],
];

/** A sentence for the operator, made of what went wrong. */
export function explain(error: unknown): Error {
  if (error instanceof StoreError) return error;
  const message = error instanceof Error ? error.message : String(error);
  const spoken = spokenTroubles.find(([pattern]) => pattern.test(message))?.[1];
  const trouble = spoken ?? startTroubles[codeOf(error) ?? ''];
  if (trouble !== undefined) return new StoreError(`The database of DATABASE_URL ${trouble}`);
  return new StoreError(
    `The database of DATABASE_URL can't be used. ${message} Check its host and port, and that PostgreSQL runs there.`,
  );
}
