// Teams for scenarios that need many.
import { type Posthorn, readId } from './posthorn.ts';

/** Creates `count` teams, their slugs beginning with `prefix`; resolves to their ids. */
export async function createTeams(posthorn: Posthorn, count: number, prefix: string): Promise<string[]> {
  const ids: string[] = [];
  for (let at = 0; at < count; at++) {
    const slug = `${prefix}-${at}`;
    ids.push(readId(await posthorn.call('POST', '/v1/teams', { slug, name: slug, plan: 'pro' })));
  }
  return ids;
}
