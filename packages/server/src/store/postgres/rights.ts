// What the database's user must be allowed: asked once at the start, so that a right that is missing is a sentence then and
// not a failure in the middle of the work.
import { StoreError } from '../errors.ts';
import type { Run } from './connection.ts';

const text = `
SELECT current_user AS "user", current_schema() AS schema,
       current_schema() IS NOT NULL AND has_schema_privilege(current_schema(), 'CREATE') AS creates,
       coalesce((SELECT array_agg(c.relname ORDER BY c.relname) FROM tables c
                  WHERE NOT pg_has_role(c.relowner, 'USAGE')), '{}')::text[] AS foreign,
       coalesce((SELECT array_agg(r.verb || ' on ' || c.relname ORDER BY c.relname, r.verb) FROM tables c,
                  unnest(ARRAY['SELECT', 'INSERT', 'UPDATE', 'DELETE']) r (verb)
                  WHERE NOT has_table_privilege(c.oid, r.verb)), '{}')::text[] AS denied`;

const tables = `
WITH tables AS (
  SELECT c.oid, c.relname, c.relowner FROM pg_class c
   WHERE c.relnamespace = to_regnamespace(quote_ident(current_schema())) AND c.relname = ANY ($1::text[])
     AND NOT c.relispartition
)`;

interface Rights {
  user: string;
  schema: string | null;
  creates: boolean;
  foreign: string[];
  denied: string[];
}

const few = (names: string[]): string =>
  names.length <= 4 ? names.join(', ') : `${names.slice(0, 3).join(', ')} and ${names.length - 3} more`;

/**
 * @param names the tables that are or will be there
 * @throws StoreError naming what this user lacks and how to grant it
 */
export async function demandRights(run: Run, names: string[]): Promise<void> {
  const { rows } = await run({ name: null, text: tables + text, values: [names] });
  const { user, schema, creates, foreign, denied } = rows[0] as unknown as Rights;
  if (schema === null || !creates) {
    throw new StoreError(
      `The database's user ${user} may not make tables there. Run GRANT CREATE, USAGE ON SCHEMA ${schema ?? 'public'} TO ${user}, or use another user in DATABASE_URL.`,
    );
  }
  if (denied.length > 0) {
    throw new StoreError(
      `The database's user ${user} lacks ${few(denied)}. Run GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA ${schema} TO ${user}, or use the tables' owner in DATABASE_URL.`,
    );
  }
  if (foreign.length > 0) {
    throw new StoreError(
      `The database's user ${user} does not own ${few(foreign)}, and so can't migrate them or add their days. Use their owner in DATABASE_URL, or make ${user} a member of that role.`,
    );
  }
}
