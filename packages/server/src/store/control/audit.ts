// The audit record: who changed what, when and from where, in the same commit as the change.
import type { Step, Store } from '../store.ts';

export interface AuditEntry {
  /** Sorts by time (id.ts). */
  id: string;
  teamId: string | null;
  /** What happened, in the field's words: `webhook.created`, `project.renamed` … */
  action: string;
  /** Who: a token's or user's id. */
  actor: string;
  /** To what: the id of the webhook, project, token … */
  subject: string;
  /** Never a secret or a variable's value. */
  detail: Record<string, unknown>;
  /** The caller's network address, if it came over HTTP. */
  address: string | null;
  at: number;
}

export function writeAudit(store: Store, entry: AuditEntry): Step {
  const { id, teamId, action, actor, subject, detail, address, at } = entry;
  return {
    query: store.queries
      .insertInto('audit')
      .values({ id, team_id: teamId, action, actor, subject, detail: JSON.stringify(detail), address, at })
      .compile(),
    rows: 1,
  };
}
