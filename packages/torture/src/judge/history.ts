// What the judge is given: the journal of the tester, the record of the receiver, and what the product says of itself.
// Times are epoch ms of one machine; the order is that of the journal (`seq`).

/** What a webhook is subscribed to. `projects` null means all. */
export interface HookConfig {
  types: string[];
  projects: string[] | null;
  enabled: boolean;
}

/** An event as a publish call carries it; `n` is in its payload and in no other event's. */
export interface PublishedEvent {
  n: number;
  id: string | null;
  type: string;
  payload: Record<string, unknown>;
  projectId: string | null;
  region: string | null;
  createdAt: number | null;
}

/** Hooks are named by the tester: the last part of their URL's path. */
export type Call =
  | { op: 'publish'; events: PublishedEvent[]; array: boolean }
  | { op: 'create hook'; hook: string; config: HookConfig }
  | { op: 'change hook'; hook: string; patch: Partial<HookConfig> }
  | { op: 'remove hook'; hook: string }
  | { op: 'test hook'; hook: string; type: string }
  /** `attempts` is how many the delivery had when it was last looked at, finished, before the call. */
  | { op: 'redeliver'; hook: string; event: string; attempts: number }
  /** Where `overlapMs` is not 0 the secret before it signs too for so long. */
  | { op: 'rotate secret'; hook: string; overlapMs: number }
  /** Of what was accepted between the two times, epoch ms, both inclusive. */
  | { op: 'replay'; hook: string; since: number; until: number; states: ReplayState[]; rate: number | null }
  /** `about` is the project's name (its new one, where it is renamed), used once in a run. */
  | { op: 'change project'; causes: string; about: string };

export type ReplayState = 'failed' | 'missed';

/** What an answer said, as far as it is judged. */
export interface AnswerBody {
  /** Of what was made: a hook, a test event, a replay. */
  id?: string;
  /** Of a replay: how much it is about. */
  matched?: number;
  secret?: string;
  /** Of a publish: the events in the order of the call. */
  events?: { id: string; createdAt: number; deliveries: number }[];
}

export type DeliveryState = 'pending' | 'delivered' | 'failed' | 'canceled';

export type JournalEntry = { seq: number; at: number } & (
  | { kind: 'call'; call: number; node: number; what: Call }
  /** `status` null: no answer came. */
  | { kind: 'answer'; call: number; status: number | null; body: AnswerBody | null }
  /** `nodes` null: all of them. `explains`: whether results may get lost by it, so that a delivery is made again. */
  | {
      kind: 'fault';
      fault: number;
      name: string;
      nodes: number[] | null;
      explains: boolean;
      phase: 'begin' | 'end';
    }
  /** A finished delivery as it was seen in the middle of the run. */
  | { kind: 'seen'; hook: string; event: string; state: DeliveryState; attempts: number }
  /** A replay of which everything is made, as it was seen. */
  | { kind: 'replay over'; replay: string }
);

/**
 * Whether a request was answered with success: `yes` in time and whole, `no` not at all, `either` in a way that may count
 * as one or the other (after the timeout, broken off, endless).
 */
export type Success = 'yes' | 'no' | 'either';

/** A request as the receiver has it. Written before it is answered. */
export interface ReceivedLine {
  kind: 'got';
  n: number;
  at: number;
  hook: string;
  /** The event's id as the request names it. */
  event: string;
  sha256: string;
  /** The event's own number, as it stands in the body; null where there is none. */
  marker: number | null;
  /** The node that sent it; null where it does not say. */
  node: number | null;
  /** Names the attempt; null where the sender does not. */
  trace: string | null;
  signatures: Record<string, string>;
  plan: string;
  status: number | null;
  success: Success;
}

/** How a request ended for the receiver. */
export interface EndedLine {
  kind: 'end';
  n: number;
  at: number;
  how: 'answered' | 'broken';
}

export type ReceiverLine = ReceivedLine | EndedLine;

export interface AttemptView {
  number: number;
  status: number | null;
  error: string | null;
  durationMs: number;
  trace: string | null;
}

export interface DeliveryView {
  hook: string;
  event: string;
  state: DeliveryState;
  attempts: number;
  lastStatus: number | null;
  /** Null where it was not read: one attempt, one request, and both say the same. */
  log: AttemptView[] | null;
}

export interface EventView {
  id: string;
  type: string;
  projectId: string | null;
  createdAt: number;
  test: boolean;
  /** The bytes that are sent, as text; null where the tester can make them itself. */
  body: string | null;
}

/** The product at the end of the run, when nothing is under way any more. */
export interface Product {
  /** Null where the sender has no list of its events: then its deliveries alone tell of them. */
  events: EventView[] | null;
  deliveries: DeliveryView[];
  /** Epoch ms at which all of this had been read. */
  readAt: number;
  /** Results of nodes whose lease was over, which the product did not take. */
  fenced: number;
}

/** What signs a request. A secret is null where nobody was told it. */
export interface Keys {
  current: string | null;
  /** The secret before it, while the two overlap. */
  old: { secret: string | null } | null;
}

/** What the run was set up with. */
export interface Terms {
  /** Attempts of a delivery that never succeeds. */
  attempts: number;
  timeoutMs: number;
  /** How long after an answer its record may still be on its way to the store. */
  graceMs: number;
  /** What is older may be gone from the product; null where nothing may. */
  retentionMs: number | null;
  /** The bytes of a published event; null where the sender has an envelope of its own. */
  bodyOf: ((event: PublishedEvent, id: string, createdAt: number) => string) | null;
  /** Whether the signatures of a request are right; one by a secret that nobody was told is. */
  isSigned: (keys: Keys, body: string, signatures: Record<string, string>) => boolean;
  /** The second in which an attempt began by its signatures, epoch ms; null where they do not say. */
  signedAt: (signatures: Record<string, string>) => number | null;
  /** After an answered change of a webhook attempts may still begin by what it was before, for so long. */
  changeLagMs: number;
  /** How far the sender's clock may be from the tester's. */
  skewMs: number;
}

export interface History {
  journal: JournalEntry[];
  received: ReceiverLine[];
  product: Product;
  terms: Terms;
}
