// An attempt's request as a command for a shell.
import type { Attempt } from '../../api/types.ts';

/** Headers that curl makes itself. */
const ownHeaders = new Set(['host', 'content-length', 'connection']);

const quote = (text: string): string => `'${text.replaceAll("'", String.raw`'\''`)}'`;

/** The request of an attempt as one curl command, quoted for a POSIX shell. */
export function curlOf({ method, url, headers, body }: Attempt['request']): string {
  const lines = [`curl -i -X ${method} ${quote(url)}`];
  for (const [name, value] of Object.entries(headers)) {
    if (!ownHeaders.has(name)) lines.push(`-H ${quote(`${name}: ${value}`)}`);
  }
  lines.push(`--data-raw ${quote(body)}`);
  return lines.join(' \\\n  ');
}
