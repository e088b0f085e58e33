// A sender that somebody else has started, reached by its URL: what is common to all of them. Its processes are its
// operator's: where commands are given that kill it and start it again, it is killed too.
import { execFile } from 'node:child_process';
import { setTimeout as pause } from 'node:timers/promises';
import { promisify } from 'node:util';
import type { Outcome } from '../../journal.ts';
import type {
  AnswerBody,
  AttemptView,
  DeliveryView,
  EventView,
  HookConfig,
  PublishedEvent,
  Terms,
} from '../../judge/history.ts';
import type { Ability, DeliveryPage, Driver } from '../driver.ts';
import { ask, type Reply } from '../http.ts';

const run = promisify(execFile);
const callWithinMs = 10_000;

export interface RemoteOptions {
  /** Where its API is, without a slash at the end. */
  url: string;
  token: string;
  /** How many attempts a delivery gets, and how long one may take, as its operator has set it. */
  attempts: number;
  timeoutMs: number;
  /** Commands for the shell; null where it is not to be killed. */
  killCommand: string | null;
  startCommand: string | null;
}

/** One delivery as such a sender tells of it. */
export interface RemoteDelivery {
  event: string;
  state: DeliveryView['state'];
  attempts: number;
  lastStatus: number | null;
}

export abstract class RemoteDriver implements Driver {
  abstract readonly store: string;
  readonly nodes = 1;
  readonly abilities: ReadonlySet<Ability> = new Set();
  readonly terms: Terms;
  protected readonly options: RemoteOptions;

  constructor(options: RemoteOptions) {
    this.options = options;
    const { attempts, timeoutMs } = options;
    // Envelopes and signatures are each sender's own: their bytes are not judged.
    this.terms = {
      attempts,
      timeoutMs,
      graceMs: 10_000,
      retentionMs: null,
      bodyOf: null,
      isSigned: () => true,
      signedAt: () => null,
      changeLagMs: 0,
      skewMs: 0,
    };
  }

  abstract start(types: readonly string[]): Promise<void>;
  abstract createEndpoint(node: number, url: string, config: HookConfig): Promise<Outcome | null>;
  abstract removeEndpoint(node: number, id: string): Promise<Outcome | null>;
  abstract publish(node: number, events: readonly PublishedEvent[], array: boolean): Promise<Outcome | null>;
  abstract listEndpoints(node: number): Promise<Map<string, string>>;
  /** All deliveries of an endpoint. */
  protected abstract readDeliveries(endpointId: string): Promise<RemoteDelivery[]>;

  /** It is its operator's. */
  stop(): Promise<void> {
    return Promise.resolve();
  }

  async kill(): Promise<void> {
    await this.#command(this.options.killCommand);
  }

  async startNode(): Promise<void> {
    await this.#command(this.options.startCommand);
    while ((await ask({ method: 'GET', url: this.options.url, timeoutMs: 1_000 })) === null) await pause(100);
  }

  async #command(command: string | null): Promise<void> {
    if (command === null) throw new Error('There is no command for that: give --kill and --start.');
    await run('/bin/sh', ['-c', command]);
  }

  anyNode(): Promise<number> {
    return Promise.resolve(0);
  }

  /** One call; null without an answer. */
  protected call(method: string, path: string, body?: unknown): Promise<Reply | null> {
    const { url, token } = this.options;
    return ask({
      method,
      url: url + path,
      headers: { authorization: `Bearer ${token}` },
      timeoutMs: callWithinMs,
      ...(body === undefined ? {} : { body }),
    });
  }

  /** A call of which only `pick` of the answer is judged. */
  protected async change(
    method: string,
    path: string,
    body: unknown,
    pick: (answer: never) => AnswerBody | Promise<AnswerBody>,
  ): Promise<Outcome | null> {
    const reply = await this.call(method, path, body);
    if (reply === null) return null;
    return { status: reply.status, body: reply.status < 300 ? await pick(reply.body as never) : null };
  }

  /** Reads until it is answered. @throws when that takes too long */
  protected async read<Body>(path: string): Promise<Body> {
    for (let tries = 1; ; tries++) {
      const reply = await this.call('GET', path);
      if (reply?.status === 200) return reply.body as Body;
      if (tries === 20) throw new Error(`GET ${path} is not answered: ${JSON.stringify(reply)}`);
      await pause(500);
    }
  }

  /** A call at the start, which must succeed; `known` are statuses that say that it was done before. */
  protected async must(method: string, path: string, body: unknown, known: number[] = []): Promise<unknown> {
    const reply = await this.call(method, path, body);
    if (reply === null || (reply.status >= 300 && !known.includes(reply.status))) {
      throw new Error(`${method} ${path} was refused: ${JSON.stringify(reply)}`);
    }
    return reply.body;
  }

  async listDeliveries(
    _node: number,
    endpointId: string,
    state: DeliveryView['state'] | null,
  ): Promise<DeliveryPage> {
    const all = await this.readDeliveries(endpointId);
    const deliveries = state === null ? all : all.filter((one) => one.state === state);
    return { deliveries, ids: deliveries.map(({ event }) => event), next: null };
  }

  /** Their attempts name no request: how many there were is judged, and how they ended. */
  readAttempts(): Promise<AttemptView[]> {
    return Promise.resolve([]);
  }

  readFenced(): Promise<Map<string, number>> {
    return Promise.resolve(new Map());
  }

  listEvents(): Promise<{ events: EventView[]; next: string | null }> {
    return Promise.resolve({ events: [], next: null });
  }

  readBody(): Promise<string | null> {
    return Promise.resolve(null);
  }

  changeEndpoint(): Promise<Outcome | null> {
    return unable();
  }

  testEndpoint(): Promise<Outcome | null> {
    return unable();
  }

  redeliver(): Promise<Outcome | null> {
    return unable();
  }

  rotateSecret(): Promise<Outcome | null> {
    return unable();
  }

  replay(): Promise<Outcome | null> {
    return unable();
  }

  isReplayOver(): Promise<boolean | null> {
    return unable();
  }

  isReplaying(): Promise<boolean> {
    return unable();
  }

  changeProject(): Promise<Outcome | null> {
    return unable();
  }
}

const unable = (): Promise<never> => Promise.reject(new Error('This sender is not asked for that.'));
