// The control plane's tables as Kysely sees them, the same on every dialect: times are epoch milliseconds, truth
// values 0 and 1, lists JSON text, sealed columns bytes.
import type { Insertable, Kysely, Selectable } from 'kysely';
import type { ReplayState } from '../../core/replay.ts';

/** The roles that a person can have in a team. */
export type MemberRole = 'OWNER' | 'MEMBER' | 'DEVELOPER' | 'SECURITY' | 'BILLING' | 'VIEWER';

/** What is counted of an endpoint in a bucket of time; `l0` to `l15` are the attempts by their duration. */
type Counts = Record<
  'delivered' | 'failed' | 'canceled' | 'attempts' | 'attempts_failed' | `l${number}`,
  number
>;

export interface Tables {
  meta: { name: string; value: string };
  teams: {
    id: string;
    slug: string;
    name: string;
    plan: 'hobby' | 'pro' | 'enterprise';
    creator_id: string | null;
    webhook_count: number;
    created_at: number;
    updated_at: number;
  };
  users: { id: string; email: string; username: string; name: string | null; created_at: number };
  members: { team_id: string; user_id: string; role: MemberRole; created_at: number };
  tokens: {
    id: string;
    hash: string;
    name: string;
    role: MemberRole | 'PUBLISHER';
    team_id: string | null;
    user_id: string | null;
    created_by: string | null;
    created_at: number;
    expires_at: number | null;
    last_used_at: number | null;
    revoked_at: number | null;
  };
  sign_in_links: {
    hash: string;
    user_id: string;
    created_at: number;
    expires_at: number;
    used_at: number | null;
  };
  sessions: {
    id: string;
    hash: string;
    user_id: string;
    method: 'link' | 'password' | 'invitation' | 'openid';
    address: string | null;
    user_agent: string | null;
    created_at: number;
    last_seen_at: number;
    expires_at: number;
  };
  passwords: { user_id: string; hash: string; changed_at: number };
  identities: { issuer: string; subject: string; user_id: string; created_at: number };
  invitations: {
    id: string;
    hash: string;
    team_id: string;
    email: string;
    role: MemberRole;
    /** The id of the user or token that invited, and its name for people. */
    invited_by: string;
    inviter: string;
    created_at: number;
    expires_at: number;
  };
  /** Until when the tries of an account or address count; see sign-in-tries.ts. */
  sign_in_tries: { subject: string; count_until: number };
  projects: {
    id: string;
    team_id: string;
    name: string;
    framework: string | null;
    settings: string;
    created_at: number;
    updated_at: number;
  };
  variables: {
    id: string;
    team_id: string;
    project_id: string;
    key: string;
    value_sealed: Uint8Array;
    type: 'system' | 'secret' | 'encrypted' | 'plain' | 'sensitive';
    target: string;
    git_branch: string | null;
    custom_environment_ids: string;
    comment: string | null;
    created_by: string | null;
    updated_by: string | null;
    created_at: number;
    updated_at: number;
  };
  variable_places: { project_id: string; key: string; place: string; variable_id: string };
  event_types: {
    type: string;
    label: string;
    category: string;
    description: string;
    schema: string;
    sample: string;
    created_at: number;
    updated_at: number;
  };
  endpoints: {
    tag: string;
    id: string;
    kind: 'webhook';
    team_id: string;
    version: number;
    url: string;
    secret_sealed: Uint8Array;
    old_secret_sealed: Uint8Array | null;
    old_secret_until: number | null;
    events: string;
    all_projects: number;
    project_ids: string;
    enabled: number;
    disabled_at: number | null;
    shift_ms: number;
    ordering: 'none' | 'project' | 'all';
    max_concurrency: number | null;
    rate_per_second: number | null;
    created_at: number;
    updated_at: number;
    removed_at: number | null;
  };
  subscriptions: { team_id: string; type: string; tag: string };
  endpoint_projects: { tag: string; project_id: string };
  audit: {
    id: string;
    team_id: string | null;
    action: string;
    actor: string;
    subject: string;
    detail: string;
    address: string | null;
    at: number;
  };
  events: {
    seq: number;
    team_id: string;
    id: string;
    uid: string | null;
    type: string;
    project_id: string | null;
    region: string | null;
    created_at: number;
    created_at_given: number;
    accepted_at: number;
    test: number;
    deliveries: number;
    body: Uint8Array;
  };
  deliveries: {
    id: string;
    tag: string;
    event_seq: number;
    type: string;
    state: 'delivered' | 'failed' | 'canceled';
    attempts: number;
    last_status: number | null;
    last_cause: string | null;
    created_at: number;
    finished_at: number;
  };
  pending: {
    id: string;
    tag: string;
    event_seq: number;
    type: string;
    attempts: number;
    available_at: number;
    extra: number;
    asked: number;
    order_key: string | null;
    last_status: number | null;
    last_cause: string | null;
    created_at: number;
    replayed_at: number | null;
    schedule_from: number;
  };
  replays: {
    id: string;
    team_id: string;
    tag: string;
    state: 'running' | 'done' | 'stopped';
    since: number;
    until: number;
    seq_from: number;
    types: string | null;
    states: string;
    rate: number | null;
    matched: number;
    made: number;
    walking: ReplayState;
    after: string;
    created_at: number;
    finished_at: number | null;
  };
  /** Deliveries that a node holds from birth and that have no row in `pending`; see sqlite/births.ts. */
  born: {
    id: string;
    tag: string;
    event_seq: number;
    type: string;
    created_at: number;
  };
  endpoint_figures: { tag: string; width: number; at: number } & Counts;
  team_figures: {
    team_id: string;
    width: number;
    at: number;
    accepted: number;
    delivered: number;
    failed: number;
    attempts: number;
    attempts_failed: number;
  };
  endpoint_health: {
    tag: string;
    pending: number;
    counted_at: number;
    failing_since: number | null;
    warned_at: number | null;
    disabled_at: number | null;
    last_success_at: number | null;
    last_failure_at: number | null;
    last_failure_status: number | null;
    last_failure_cause: string | null;
    last_failure_detail: string | null;
    last_failure_url: string | null;
    last_end_at: number | null;
    last_end_state: 'delivered' | 'failed' | 'canceled' | null;
    rests_until: number;
    slot_at: number;
    slot_came: number;
    slot_left: number;
    before_came: number;
    before_left: number;
    written_at: number;
  };
  presence: { id: string; roles: string; version: string; started_at: number; seen_at: number };
  /** A view: on SQLite an attempt is found in one of two ways. */
  delivery_attempts: {
    tag: string;
    delivery_id: string;
    number: number;
    started_at: number;
    duration_ms: number;
    status: number | null;
    cause: string | null;
    detail: string | null;
    timings: string;
    url: string;
    request_headers: string;
    response_headers: string | null;
    response_body: Uint8Array | null;
    truncated: number;
  };
}

/** Builds and compiles queries for the store's dialect; it runs none itself. */
export type Queries = Kysely<Tables>;
export type Row<Table extends keyof Tables> = Selectable<Tables[Table]>;
export type NewRow<Table extends keyof Tables> = Insertable<Tables[Table]>;
