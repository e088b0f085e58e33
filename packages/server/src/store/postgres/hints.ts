// What this process knows of lanes and needn't ask the database for: what it holds and how much room that leaves, which
// lanes' breakers are open, which have due work behind. Hints only: the rows say who holds what.
import type { MessagePort } from 'node:worker_threads';
import { type Clock, systemClock } from '../../clock.ts';
import { type LaneRoom, Room } from '../room.ts';
import type { News } from '../store.ts';
import { Tally } from '../tally.ts';
import { Floors } from './floors.ts';

const none: LaneRoom = { count: 0, bytes: 0 };
/** Of so many webhooks it is remembered whose they are; then from the beginning. */
const mostWebhooks = 100_000;

export class Hints {
  /** What this thread has counted for the figures since it last wrote them. */
  readonly tally = new Tally();
  readonly floors: Floors;
  /** How many other nodes that send are alive, as the last look found. */
  others = 0;
  protected readonly room = new Room();
  protected readonly held = new Map<string, { tag: string; bytes: number }>();
  readonly #closed = new Set<string>();
  readonly #behind = new Set<string>();
  /** Webhooks get the events of their own team alone. */
  #teamOf = new Map<string, string>();
  #webhooksOf = new Map<string, Set<string>>();
  /** Lanes that may not take what comes and of which it isn't known whose events they get: integrations among them. */
  readonly #anybodys = new Set<string>();

  constructor(clock: Clock = systemClock) {
    this.floors = new Floors(clock);
  }

  /** Deliveries that this process holds. */
  get total(): number {
    return this.room.total;
  }

  /** How much more of a lane may be held. */
  roomOf(tag: string | null): LaneRoom {
    return this.room.of(tag);
  }

  /** Keys of what is held. */
  keys(): string[] {
    return [...this.held.keys()];
  }

  hold(key: string, tag: string, bytes: number): void {
    if (this.held.has(key)) return;
    this.held.set(key, { tag, bytes });
    this.room.add(tag, 1, bytes);
    this.#place(tag);
  }

  letGo(key: string): void {
    const held = this.held.get(key);
    if (held === undefined) return;
    this.held.delete(key);
    this.room.add(held.tag, -1, held.bytes);
    this.#place(held.tag);
  }

  setOpen(tag: string, open: boolean): void {
    if (open) this.#closed.delete(tag);
    else this.#closed.add(tag);
    this.#place(tag);
  }

  setBehind(tag: string, behind: boolean): void {
    if (behind) this.#behind.add(tag);
    else this.#behind.delete(tag);
    this.#place(tag);
  }

  /** Hears which team a webhook belongs to; answers whether that is news. */
  learn(tag: string, teamId: string): boolean {
    if (this.#teamOf.has(tag)) return false;
    if (this.#teamOf.size >= mostWebhooks) {
      const before = this.#teamOf.keys();
      this.#teamOf = new Map();
      this.#webhooksOf = new Map();
      for (const known of before) this.#place(known);
    }
    this.#teamOf.set(tag, teamId);
    const webhooks = this.#webhooksOf.get(teamId) ?? new Set<string>();
    this.#webhooksOf.set(teamId, webhooks.add(tag));
    this.#anybodys.delete(tag);
    return true;
  }

  #place(tag: string): void {
    if (this.#teamOf.has(tag)) return;
    if (this.#isFree(tag)) this.#anybodys.delete(tag);
    else this.#anybodys.add(tag);
  }

  /** Whether a lane is like one of which nothing is known. */
  #isFree(tag: string): boolean {
    return !this.#behind.has(tag) && !this.#closed.has(tag) && !this.room.holds(tag);
  }

  /** Hears that a claim has raised the floors. */
  noteFloors(): void {}

  /** Hears how many nodes that send are alive; `self`: this one is among them. */
  noteLiving(living: number, self: boolean): void {
    this.others = Math.max(0, living - (self ? 1 : 0));
  }

  /** Everything held is forgotten: the lease of this process has ended. */
  dropAll(): void {
    for (const key of this.held.keys()) this.letGo(key);
  }

  /** Lanes of which this thread holds something. */
  heldLanes(): string[] {
    return [...this.room.tags()];
  }

  /**
   * What an accept of events of `teams` needs to know: of their lanes those that can take less than one of which nothing is held.
   * All lanes would be 0.6 ms of an accept's time with 1,000 behind (0.7 ms without), and grow with them.
   */
  forAccept(teams: Iterable<string>) {
    const tags = [...this.#anybodys];
    for (const team of teams) {
      for (const tag of this.#webhooksOf.get(team) ?? []) if (!this.#isFree(tag)) tags.push(tag);
    }
    const rooms = tags.map((tag) =>
      this.#behind.has(tag) || this.#closed.has(tag) ? none : this.room.of(tag),
    );
    return {
      inAll: this.room.inAll,
      unknown: this.room.of(null),
      tags,
      counts: rooms.map(({ count }) => count),
      bytes: rooms.map(({ bytes }) => bytes),
      closed: tags.map((tag) => this.#closed.has(tag)),
    };
  }
}

/** What one thread tells the other, many at a time. */
export type HintMessage = {
  /** Where markers begin, as far as the thread that claims knows. */
  floors: { number: number; dueAt: number } | null;
  /** How many other nodes are alive, where that has been looked at. */
  others: number | null;
  let: string[];
  open: [tag: string, open: boolean][];
  behind: [tag: string, behind: boolean][];
  /** Webhooks, and whose they are. */
  webhooks: [tag: string, teamId: string][];
  /** The node's new name, where its lease has ended. */
  name: string | null;
  /** What another node has told. */
  news: News[];
};

const nothing = (): HintMessage => ({
  floors: null,
  others: null,
  let: [],
  open: [],
  behind: [],
  webhooks: [],
  name: null,
  news: [],
});

/** The hints of the thread that sends: what it claims is its own; what was born is let go where it was made. */
export class SenderHints extends Hints {
  readonly #port: MessagePort;
  #message = nothing();
  #scheduled = false;

  constructor(port: MessagePort) {
    super();
    this.#port = port;
  }

  override letGo(key: string): void {
    if (this.held.has(key)) super.letGo(key);
    else this.#tell((message) => message.let.push(key));
  }

  override setOpen(tag: string, open: boolean): void {
    this.#tell((message) => message.open.push([tag, open]));
  }

  override setBehind(tag: string, behind: boolean): void {
    this.#tell((message) => message.behind.push([tag, behind]));
  }

  override learn(tag: string, teamId: string): boolean {
    const isNews = super.learn(tag, teamId);
    if (isNews) this.#tell((message) => message.webhooks.push([tag, teamId]));
    return isNews;
  }

  override noteFloors(): void {
    const { number, dueAt } = this.floors;
    this.#tell((message) => {
      message.floors = { number, dueAt };
    });
  }

  override noteLiving(living: number, self: boolean): void {
    super.noteLiving(living, self);
    this.#tell((message) => {
      message.others = this.others;
    });
  }

  /** The node has a new name, and nothing that it held is its own any more. */
  rename(node: string): void {
    this.dropAll();
    this.#tell((message) => {
      message.name = node;
    });
  }

  tellNews(news: News): void {
    this.#tell((message) => message.news.push(news));
  }

  close(): void {
    this.#port.close();
  }

  #tell(add: (message: HintMessage) => unknown): void {
    add(this.#message);
    if (this.#scheduled) return;
    this.#scheduled = true;
    setImmediate(() => {
      this.#scheduled = false;
      this.#port.postMessage(this.#message);
      this.#message = nothing();
    });
  }
}

/** Has `hints` follow what the thread behind `port` tells. */
export function followHints(
  hints: Hints,
  port: MessagePort,
  { onName, onNews }: { onName(node: string): void; onNews(news: News): void },
): void {
  port.on('message', (message: HintMessage) => {
    for (const key of message.let) hints.letGo(key);
    if (message.floors !== null) Object.assign(hints.floors, message.floors);
    if (message.others !== null) hints.others = message.others;
    if (message.name !== null) {
      hints.dropAll();
      onName(message.name);
    }
    for (const [tag, open] of message.open) hints.setOpen(tag, open);
    for (const [tag, behind] of message.behind) hints.setBehind(tag, behind);
    for (const [tag, teamId] of message.webhooks) hints.learn(tag, teamId);
    for (const news of message.news) onNews(news);
  });
  port.unref();
}
