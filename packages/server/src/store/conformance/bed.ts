// The bed of the store's conformance suite: what a test needs to set a scene (teams, webhooks, events, attempts) and
// to look at it. It talks to the Store seam and the control plane's queries only, so that every store can lie in it.
import { after } from 'node:test';
import { serialiseEvent } from '../../core/envelope.ts';
import { newAlphanumeric, newSortableId, newTag, newTeamId, newWebhookId } from '../../id.ts';
import { findDelivery } from '../control/history.ts';
import {
  insertWebhook,
  putProjects,
  putSubscriptions,
  updateWebhook,
  type WebhookRow,
} from '../control/webhooks.ts';
import type {
  Accepted,
  AcceptOutcome,
  AttemptRecord,
  Birth,
  Change,
  ChangeOutcome,
  Claimed,
  DeliveryStore,
  FinishOutcome,
  NewEvent,
  Next,
  Step,
  Store,
} from '../store.ts';

export interface OpenOptions {
  /** Epoch ms, for what is due at once because the process before died. */
  now: number;
  /** Whether this process sends; else nothing is held at birth. */
  delivers: boolean;
}

export interface OpenedStore {
  store: Store;
  /** Opens the same data as the next process would after a crash: without a close, with all that was answered. */
  reopen(now: number): Promise<Store>;
  /** Whether the figure of a long backlog is off by what a killed process had counted, until it is counted anew. */
  countsLateAfterCrash?: boolean;
  /** Closes what is open and removes the data. */
  dispose(): Promise<void>;
}

export type OpenStore = (options: OpenOptions) => Promise<OpenedStore>;

/** When the tests' time begins. */
export const startAt = Date.UTC(2026, 0, 15, 12);

/** Runs a test on a store of its own. */
export function onStore(
  open: OpenStore,
  work: (store: Store, opened: OpenedStore) => Promise<void>,
  options: Partial<OpenOptions> = {},
): () => Promise<void> {
  return async () => {
    const opened = await open({ now: startAt, delivers: true, ...options });
    try {
      await work(opened.store, opened);
    } finally {
      await opened.dispose();
    }
  };
}

/** Has the tests of one `describe` share a store: for those that look at nothing but their own team. */
export function sharedStore(open: OpenStore): (work: (store: Store) => Promise<void>) => () => Promise<void> {
  let opened: Promise<OpenedStore> | null = null;
  after(async () => (await opened)?.dispose());
  return (work) => async () => {
    opened ??= open({ now: startAt, delivers: true });
    await work((await opened).store);
  };
}

/** Makes a change that must not be refused. */
export async function change(
  store: Store,
  parts: Partial<Change>,
): Promise<ChangeOutcome & { kind: 'done' }> {
  const outcome = await store.change({ steps: [], events: [], touched: [], now: startAt, ...parts });
  if (outcome.kind !== 'done') throw new Error(`The change was refused: ${outcome.reason}`);
  return outcome;
}

export async function addTeam(store: Store, plan: 'hobby' | 'pro' | 'enterprise' = 'pro'): Promise<string> {
  const id = newTeamId();
  const times = { created_at: startAt, updated_at: startAt };
  const row = { id, slug: id, name: id, plan, creator_id: null, webhook_count: 0, ...times };
  await change(store, {
    steps: [{ query: store.queries.insertInto('teams').values(row).compile(), rows: 1 }],
  });
  return id;
}

export async function addProject(store: Store, teamId: string): Promise<string> {
  const id = `prj_${newAlphanumeric(28)}`;
  const times = { created_at: startAt, updated_at: startAt };
  const row = { id, team_id: teamId, name: id, framework: null, settings: '{}', ...times };
  await change(store, {
    steps: [{ query: store.queries.insertInto('projects').values(row).compile(), rows: 1 }],
  });
  return id;
}

export interface WebhookOptions {
  types?: string[];
  projectIds?: string[];
  ordering?: 'none' | 'project' | 'all';
}

/** The type that webhooks subscribe to and events have unless told otherwise. */
export const usualType = 'deployment.created';

export async function addWebhook(
  store: Store,
  teamId: string,
  options: WebhookOptions = {},
): Promise<WebhookRow> {
  const { types = [usualType], projectIds = [], ordering = 'none' } = options;
  const tag = newTag();
  const row: WebhookRow = {
    tag,
    id: newWebhookId(),
    kind: 'webhook',
    team_id: teamId,
    version: 1,
    url: 'https://example.com/hook',
    secret_sealed: new Uint8Array([1, 2, 3]),
    old_secret_sealed: null,
    old_secret_until: null,
    events: JSON.stringify(types),
    all_projects: projectIds.length === 0 ? 1 : 0,
    project_ids: JSON.stringify(projectIds),
    enabled: 1,
    disabled_at: null,
    shift_ms: 0,
    ordering,
    max_concurrency: null,
    rate_per_second: null,
    created_at: startAt,
    updated_at: startAt,
    removed_at: null,
  };
  await change(store, {
    steps: [
      insertWebhook(store, row),
      ...putSubscriptions(store, teamId, tag, types),
      ...putProjects(store, teamId, tag, projectIds),
    ],
    touched: [tag],
  });
  return row;
}

/** Changes a webhook's row as the platform would; answers the row as it is then. */
async function patch(
  store: Store,
  row: WebhookRow,
  values: Partial<WebhookRow>,
  now: number,
): Promise<WebhookRow> {
  await change(store, {
    steps: [updateWebhook(store, row.tag, row.version, values)],
    touched: [row.tag],
    now,
  });
  return { ...row, ...values, version: row.version + 1 };
}

export const disable = (store: Store, row: WebhookRow, now: number) =>
  patch(store, row, { enabled: 0, disabled_at: now }, now);

export const enable = (store: Store, row: WebhookRow, now: number) =>
  patch(
    store,
    row,
    { enabled: 1, disabled_at: null, shift_ms: row.shift_ms + now - (row.disabled_at ?? now) },
    now,
  );

export const remove = (store: Store, row: WebhookRow, now: number) =>
  patch(store, row, { removed_at: now }, now);

export interface EventOptions {
  id?: string;
  type?: string;
  projectId?: string | null;
  region?: string | null;
  payload?: unknown;
  /** When it was accepted. */
  at?: number;
  /** Given by the publisher. */
  createdAt?: number;
  only?: string | null;
}

export function newEvent(teamId: string, options: EventOptions = {}): NewEvent {
  const { type = usualType, projectId = null, region = null, payload = {}, at = startAt } = options;
  const uid = newSortableId(at);
  const id = options.id ?? uid;
  const createdAt = options.createdAt ?? at;
  return {
    uid,
    id,
    teamId,
    type,
    projectId,
    region,
    createdAt,
    createdAtGiven: options.createdAt !== undefined,
    acceptedAt: at,
    body: serialiseEvent({ id, type, createdAt, payload, region }, null),
    only: options.only ?? null,
  };
}

/** What became of a group's events; throws where the group was refused. */
export function storedOf(outcome: AcceptOutcome): Accepted[] {
  if (outcome.kind !== 'stored') throw new Error(`The group has a conflict at ${outcome.index}.`);
  return outcome.events;
}

/** The births of an event; throws where it was known. */
export function birthsOf(accepted: Accepted | undefined): Birth[] {
  if (accepted?.kind !== 'stored') throw new Error('The event was not stored anew.');
  return accepted.births;
}

/** Stores one event and answers its births. */
export async function publish(store: Store, event: NewEvent): Promise<Birth[]> {
  return birthsOf(storedOf(await store.accept({ events: [event] }))[0]);
}

/** A delivery as the one who holds it knows it. */
export type Held = Pick<Claimed, 'key' | 'tag' | 'attempts' | 'extra' | 'body'>;

/** Stores one event for the only endpoint that matches it, which is then held. */
export async function publishHeld(store: Store, event: NewEvent): Promise<Held> {
  const [birth] = await publish(store, event);
  if (birth?.leased !== true) throw new Error('The delivery was not held at birth.');
  return { key: event.uid + birth.tag, tag: birth.tag, attempts: 0, extra: false, body: event.body };
}

export const leaseOf = (held: Held) => ({ key: held.key, tag: held.tag, bytes: held.body.length });

/** The record of an attempt that took 10 ms and ended at `endedAt`. */
export function attemptOf(held: Held, next: Next, endedAt = startAt): AttemptRecord {
  const success = next.kind === 'delivered';
  return {
    ...leaseOf(held),
    number: held.attempts + 1,
    extra: held.extra,
    next,
    startedAt: endedAt - 10,
    durationMs: 10,
    status: success ? 200 : 500,
    cause: success ? null : 'status_500',
    detail: null,
    timings: ',,,9',
    url: 'https://example.com/hook',
    requestHeaders: 'webhook-id: x\r\n',
    responseHeaders: 'content-type: text/plain\r\n',
    responseBody: Buffer.from(success ? 'ok' : 'no'),
    truncated: false,
    ordered: false,
  };
}

/** Claims of one lane alone. */
/** Writes an attempt down and answers with what came of it. */
export const finishOne = (store: DeliveryStore, record: AttemptRecord): Promise<FinishOutcome> =>
  new Promise((resolve, reject) => {
    store.finish(record, (outcome) => (outcome instanceof Error ? reject(outcome) : resolve(outcome)));
  });

export async function claimLane(store: Store, tag: string, now: number, count = 10): Promise<Claimed[]> {
  const { claimed } = await store.claim({
    now,
    lanes: [{ tag, count, replayed: count }],
    others: { lanes: 0, each: 0 },
  });
  return claimed;
}

/** Claims as a node does that knows of no lane yet. */
export const claimOthers = (store: Store, now: number, each = 8, lanes = 64) =>
  store.claim({ now, lanes: [], others: { lanes, each } });

/** A delivery's state and number of attempts as people see them. */
export async function stateOf(store: Store, key: string): Promise<string> {
  const row = await findDelivery(store, key, null);
  return row === null ? 'missing' : `${row.state} ${row.attempts}`;
}

/** The figures' counters beside what counting the rows gives. */
export async function countRows(store: Store): Promise<{ pending: number; lanes: number }> {
  const count = async (table: 'pending' | 'born' | 'waiting_lanes') => {
    const rows = await store.read(
      store.queries
        .selectFrom(table as 'pending')
        .select((eb) => eb.fn.countAll<number>().as('count'))
        .compile(),
    );
    return rows[0]?.count ?? 0;
  };
  return { pending: (await count('born')) + (await count('pending')), lanes: await count('waiting_lanes') };
}

/** An audit record, for calls that want one. */
export function auditStep(store: Store, action: string): Step {
  const row = {
    id: newSortableId(startAt),
    team_id: null,
    action,
    actor: 'test',
    subject: 'test',
    detail: '{}',
    address: null,
    at: startAt,
  };
  return { query: store.queries.insertInto('audit').values(row).compile(), rows: 1 };
}

/** How many audit records there are of `action`. */
export async function countAudit(store: Store, action: string): Promise<number> {
  const rows = await store.read(
    store.queries.selectFrom('audit').select('id').where('action', '=', action).compile(),
  );
  return rows.length;
}
