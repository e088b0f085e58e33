// What the tester asks of a sender of webhooks, whoever made it. Every call may go without an answer: then it is null, and
// nobody knows whether it was done.
import type { Outcome } from '../journal.ts';
import type {
  AttemptView,
  DeliveryView,
  EventView,
  HookConfig,
  PublishedEvent,
  ReplayState,
  Terms,
} from '../judge/history.ts';

/** What was to be read could not be: nobody answered for long, or it is gone. Any other error of a reading call is a fault. */
export class Unread extends Error {}

/** What a sender can be asked for beyond publishing and endpoints that stay as they are. */
export type Ability =
  | 'batches'
  | 'own ids'
  | 'changes'
  | 'tests'
  | 'redeliveries'
  | 'rotations'
  | 'replays'
  | 'projects'
  | 'history';

/** Times are epoch ms; `rate` is deliveries a second. */
export interface ReplayWish {
  since: number;
  until: number;
  states: ReplayState[];
  rate: number | null;
}

export interface DeliveryPage {
  deliveries: Omit<DeliveryView, 'hook' | 'log'>[];
  /** The sender's own names of these deliveries, in the same order. */
  ids: string[];
  next: string | null;
}

export interface Driver {
  /** As it stands in results.json. */
  readonly store: string;
  /** How many processes there are, numbered from 0. */
  readonly nodes: number;
  readonly abilities: ReadonlySet<Ability>;
  readonly terms: Terms;

  /** Starts everything and makes it ready for the event types. */
  start(types: readonly string[]): Promise<void>;
  /** Stops everything, for good. */
  stop(): Promise<void>;
  /** Ends a node with SIGKILL, at once. Where nodes are somebody else's, as its operator was told to. */
  kill(node: number): Promise<void>;
  /** Starts a node that is down, and waits until it is ready. */
  startNode(node: number): Promise<void>;
  /** A node that takes calls now, one that `prefers` chooses among them; waits for one if there is none. */
  anyNode(choose: (ready: number[]) => number): Promise<number>;

  createEndpoint(node: number, url: string, config: HookConfig): Promise<Outcome | null>;
  changeEndpoint(node: number, id: string, patch: Partial<HookConfig>): Promise<Outcome | null>;
  removeEndpoint(node: number, id: string): Promise<Outcome | null>;
  testEndpoint(node: number, id: string, type: string): Promise<Outcome | null>;
  publish(node: number, events: readonly PublishedEvent[], array: boolean): Promise<Outcome | null>;
  redeliver(node: number, deliveryId: string): Promise<Outcome | null>;
  /** Answers the new secret. */
  rotateSecret(node: number, id: string, overlapMs: number): Promise<Outcome | null>;
  /** Answers the replay's id and how much it is about. */
  replay(node: number, id: string, wish: ReplayWish): Promise<Outcome | null>;
  /** Whether everything of a replay is made; null where there is no answer. */
  isReplayOver(node: number, replayId: string): Promise<boolean | null>;
  /** Whether replays of an endpoint are under way, or attempts that they have made are still to come. */
  isReplaying(node: number, id: string): Promise<boolean>;
  /** Creates (under `id`, if there is one), renames or removes a project; `causes` is the event's type. Answers its id. */
  changeProject(node: number, causes: string, id: string | null, name: string): Promise<Outcome | null>;

  /** All endpoints that are there, by URL. */
  listEndpoints(node: number): Promise<Map<string, string>>;
  listEvents(node: number, cursor: string | null): Promise<{ events: EventView[]; next: string | null }>;
  readBody(node: number, eventId: string): Promise<string | null>;
  listDeliveries(
    node: number,
    endpointId: string,
    state: DeliveryView['state'] | null,
    cursor: string | null,
  ): Promise<DeliveryPage>;
  readAttempts(node: number, deliveryId: string): Promise<AttemptView[]>;
  /** Results that a node has refused to take so far, by node and start; nothing where it does not answer. */
  readFenced(): Promise<Map<string, number>>;
}
