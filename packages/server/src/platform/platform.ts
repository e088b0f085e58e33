// What every part of the platform works with, and the one way in which it changes anything: the change, its audit
// record and the events it causes are one commit.
import type { Clock } from '../clock.ts';
import type { Settings } from '../config.ts';
import type { Publisher } from '../engine/publish.ts';
import { ApiError, type ErrorCode } from '../errors.ts';
import { newSortableId } from '../id.ts';
import { writeAudit } from '../store/control/audit.ts';
import type { Change, Step, Store } from '../store/store.ts';
import type { Vault } from '../vault.ts';
import type { Actor } from './actor.ts';
import type { Catalogue } from './catalogue.ts';

export interface Platform {
  store: Store;
  publisher: Publisher;
  clock: Clock;
  vault: Vault;
  settings: Settings;
  catalogue: Catalogue;
  /** Writes the figures that this node has counted and not written yet, so that they can be read. */
  settleFigures(): Promise<void>;
}

/** An event that a change of the platform causes. */
export interface Caused {
  type: string;
  projectId: string | null;
  /** Fits the type's schema; `team` and `user` are added by `commit`. */
  payload: Record<string, unknown>;
}

export interface PlatformChange {
  teamId: string | null;
  /** `webhook.created`, `project.renamed` … */
  action: string;
  subject: string;
  detail?: Record<string, unknown>;
  steps: Step[];
  events?: Caused[];
  /** Tags of endpoints that the change touches. */
  touched?: string[];
  /** What other nodes hear of. */
  tells?: Change['tells'];
  at: number;
}

export type Committed =
  | { kind: 'done'; rows: Record<string, unknown>[][] }
  | { kind: 'refused'; reason: string };

/** The audit record of what `actor` does. */
export function auditOf(
  platform: Platform,
  actor: Actor,
  change: Pick<PlatformChange, 'teamId' | 'action' | 'subject' | 'detail' | 'at'>,
): Step {
  return writeAudit(platform.store, {
    id: newSortableId(change.at),
    teamId: change.teamId,
    action: change.action,
    actor: actor.userId ?? actor.tokenId,
    subject: change.subject,
    detail: change.detail ?? {},
    address: actor.address,
    at: change.at,
  });
}

/** Makes a change. `refused` tells which step's `otherwise` stood in the way; nothing was changed then. */
export async function tryCommit(
  platform: Platform,
  actor: Actor,
  change: PlatformChange,
): Promise<Committed> {
  const user = { id: actor.userId };
  const outcome = await platform.publisher.change(
    {
      steps: [...change.steps, auditOf(platform, actor, change)],
      touched: change.touched ?? [],
      ...(change.tells !== undefined && { tells: change.tells }),
      now: change.at,
    },
    (change.events ?? []).map(({ type, projectId, payload }) => ({
      teamId: change.teamId ?? '',
      type,
      projectId,
      payload: { team: { id: change.teamId }, user, ...payload },
    })),
  );
  return outcome.kind === 'done' ? outcome : { kind: 'refused', reason: outcome.reason };
}

/**
 * Makes a change that can only be refused for one of the given reasons.
 * @throws ApiError with the refusal's code and sentence
 */
export async function commit(
  platform: Platform,
  actor: Actor,
  change: PlatformChange,
  refusals: Record<string, { code: ErrorCode; message: string }> = {},
): Promise<Record<string, unknown>[][]> {
  const outcome = await tryCommit(platform, actor, change);
  if (outcome.kind === 'done') return outcome.rows;
  const refusal = refusals[outcome.reason];
  if (refusal !== undefined) throw new ApiError(refusal.code, refusal.message);
  throw new ApiError(
    'conflict',
    'Somebody else changed this at the same moment. Read it again and repeat the call.',
  );
}
