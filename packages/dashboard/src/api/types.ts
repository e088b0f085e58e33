// What the API answers, as far as the dashboard reads it: CONTRACT's shapes, checked by the end-to-end tests.

export type Role = 'OWNER' | 'MEMBER' | 'DEVELOPER' | 'SECURITY' | 'BILLING' | 'VIEWER' | 'PUBLISHER';
export type Plan = 'hobby' | 'pro' | 'enterprise';

export interface User {
  id: string;
  email: string;
  username: string;
  name: string | null;
}

export interface SessionTeam {
  id: string;
  slug: string;
  name: string;
  plan: Plan;
  role: Role;
}

export interface Session {
  user: User & { hasPassword: boolean };
  operator: boolean;
  version: string;
  teams: SessionTeam[];
}

export interface SignInMethods {
  password: boolean;
  oidc: { name: string; startUrl: string } | null;
}

export interface InvitationPreview {
  email: string;
  role: Role;
  team: { slug: string; name: string };
  invitedBy: string;
  expiresAt: number;
  /** Whether somebody with the address has an account, which they then show to be theirs. */
  account: boolean;
}

export interface EventType {
  type: string;
  label: string;
  category: string;
  description: string;
  availability: 'account' | 'integration' | 'both';
  requiresAllProjects: boolean;
  legacy: boolean;
  schema: object;
  sample: object;
}

export type Ordering = 'none' | 'project' | 'all';

export interface Webhook {
  id: string;
  url: string;
  events: string[];
  ownerId: string;
  createdAt: number;
  updatedAt: number;
  /** Left out: all projects of the team. */
  projectIds?: string[];
  enabled: boolean;
  ordering: Ordering;
  maxConcurrency: number | null;
  ratePerSecond: number | null;
}

export interface ListedWebhook extends Webhook {
  projectsMetadata: { id: string; name: string; framework: string | null }[] | null;
}

export interface CreatedWebhook extends Webhook {
  secret: string;
}

export type DeliveryState = 'pending' | 'delivered' | 'failed' | 'canceled';

export interface Delivery {
  id: string;
  eventId: string;
  webhookId: string;
  type: string;
  state: DeliveryState;
  attempts: number;
  lastStatus: number | null;
  lastError: string | null;
  nextAttemptAt: number | null;
  createdAt: number;
  finishedAt: number | null;
  projectId?: string | null;
  webhookUrl?: string;
  lastCause?: string | null;
}

export interface Attempt {
  number: number;
  startedAt: number;
  durationMs: number;
  status: number | null;
  error: string | null;
  message: string | null;
  timings: Record<'dnsMs' | 'connectMs' | 'tlsMs' | 'firstByteMs' | 'totalMs', number | null>;
  request: { method: string; url: string; headers: Record<string, string>; body: string };
  response: { status: number; headers: Record<string, string>; body: string; truncated: boolean } | null;
}

export interface FullDelivery extends Omit<Delivery, 'attempts'> {
  attempts: Attempt[];
}

/** What a replay would do, counted. */
export interface ReplayCount {
  matched: number;
  oldest: number | null;
  newest: number | null;
}

export interface Replay {
  id: string;
  state: 'running' | 'done' | 'stopped';
  matched: number;
  made: number;
  createdAt: number;
}

export interface Project {
  id: string;
  name: string;
  framework: string | null;
  createdAt: number;
  updatedAt: number;
}

export interface Page {
  next: string | null;
}

/** What `GET /v1/stream` sends, by the name of the event. */
export interface LiveNews {
  event: { id: string; type: string; projectId: string | null; createdAt: number; deliveries: number };
  delivery: Delivery;
  attempt: {
    deliveryId: string;
    webhookId: string;
    eventId: string;
    type: string;
    number: number;
    startedAt: number;
    durationMs: number;
    status: number | null;
    error: string | null;
    state: DeliveryState;
    nextAttemptAt: number | null;
  };
}

export interface UrlVerdict {
  ok: boolean;
  code?: string;
  message?: string;
}

export interface WebhookActivity {
  webhooks: {
    id: string;
    /** One for each of the last 24 hours, oldest first. */
    buckets: { at: number; delivered: number; failed: number }[];
    pending: number;
    lastDeliveryAt: number | null;
    lastState: DeliveryState | null;
  }[];
  /** How many webhooks the team may have, and has. */
  limit: number;
  used: number;
}

export interface WindowHealth {
  delivered: number;
  failed: number;
  attempts: number;
  successRate: number | null;
  p50Ms: number | null;
  p95Ms: number | null;
}

export interface WebhookHealth {
  state: 'healthy' | 'degraded' | 'failing' | 'idle' | 'disabled';
  enabled: boolean;
  windows: Record<'5m' | '1h' | '24h', WindowHealth>;
  backlog: number;
  oldestPendingAt: number | null;
  /** 0 with an empty backlog, null where it does not become smaller. */
  drainEtaMs: number | null;
  breaker: { state: 'closed' | 'open' | 'probing'; until: number | null };
  lastFailure: { at: number; cause: string; status: number | null; message: string } | null;
  advice: string | null;
}

/** A page of a list that goes by time. */
export interface TimePage {
  next: number | null;
}

export interface EventSummary {
  id: string;
  type: string;
  projectId: string | null;
  region: string | null;
  createdAt: number;
  test: boolean;
  deliveries: number;
}

export interface FullEvent extends Omit<EventSummary, 'deliveries'> {
  body: string;
  deliveries: Delivery[];
}

export interface Matching {
  webhooks: { id: string; url: string; matched: boolean; reason: string | null; message: string }[];
}

export interface Overview {
  stepMs: number;
  points: {
    at: number;
    accepted: number;
    delivered: number;
    failed: number;
    attempts: number;
    attemptsFailed: number;
  }[];
  totals: { accepted: number; delivered: number; failed: number; pending: number };
  attention: { webhookId: string; url: string; message: string; severity: 'warning' | 'error' }[];
}

export interface Variable {
  id: string;
  key: string;
  value?: string;
  type: string;
  target: string[];
  gitBranch?: string | null;
}

export interface Member {
  uid: string;
  email: string;
  username: string;
  name?: string;
  role: Role;
}

export interface Invitation {
  id: string;
  email: string;
  role: Role;
  createdAt: number;
  expiresAt: number;
}

export interface Token {
  id: string;
  name: string;
  role: string;
  createdAt: number;
  expiresAt: number | null;
  lastUsedAt: number | null;
}

/** One of the person's sessions. */
export interface SignedInPlace {
  id: string;
  createdAt: number;
  lastSeenAt: number;
  expiresAt: number;
  address: string | null;
  userAgent: string | null;
  current: boolean;
}

export interface SystemState {
  version: string;
  store: { kind: 'sqlite' | 'postgres'; version: string; sizeBytes: number | null };
  nodes: {
    id: string;
    roles: string[] | null;
    startedAt: number;
    lastSeenAt: number;
    version: string | null;
    current: boolean;
  }[];
  backlog: { pending: number; held: number; oldestAt: number | null };
  lanes: { active: number; waiting: number; openBreakers: number };
  retentionMs: number;
  settings: { name: string; value: string | null; source: string }[];
}
