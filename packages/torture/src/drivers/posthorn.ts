// Posthorn, on either store: its API, its processes, and what is under them.
import { createHmac, timingSafeEqual } from 'node:crypto';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import type { Outcome } from '../journal.ts';
import type {
  AnswerBody,
  AttemptView,
  DeliveryView,
  EventView,
  HookConfig,
  Keys,
  PublishedEvent,
  Terms,
} from '../judge/history.ts';
import { type Ability, type DeliveryPage, type Driver, type ReplayWish, Unread } from './driver.ts';
import { ask, type Reply } from './http.ts';
import { ServerNode } from './nodes.ts';

const operatorToken = 'TortureOperator000000000';
const callWithinMs = 6_000;
const readWithinMs = 20_000;

export interface PosthornOptions {
  /** Where data, logs and records of this run go. */
  dir: string;
  nodes: number;
  scheduleMs: number[];
  timeoutMs: number;
  retentionMs: number | null;
  /** How far the nodes' clocks may be off; 0 if left out. */
  skewMs?: number;
  /** Further settings of every node. */
  env: Record<string, string>;
  /** Modules loaded before the server's. */
  preloads: string[];
}

export abstract class PosthornDriver implements Driver {
  abstract readonly store: string;
  readonly nodes: number;
  readonly abilities: ReadonlySet<Ability> = new Set([
    'batches',
    'own ids',
    'changes',
    'tests',
    'redeliveries',
    'rotations',
    'replays',
    'projects',
    'history',
  ] as const);
  readonly terms: Terms;
  readonly options: PosthornOptions;
  readonly servers: ServerNode[];

  constructor(options: PosthornOptions, envOf: (node: number) => Record<string, string>) {
    const { dir, nodes, scheduleMs, timeoutMs, retentionMs } = options;
    this.options = options;
    this.nodes = nodes;
    this.terms = {
      attempts: scheduleMs.length + 1,
      timeoutMs,
      graceMs: 3_000,
      retentionMs,
      bodyOf,
      isSigned,
      signedAt,
      changeLagMs: 1_100,
      skewMs: options.skewMs ?? 0,
    };
    this.servers = Array.from(
      { length: nodes },
      (_, node) =>
        new ServerNode({
          preloads: options.preloads,
          logPath: join(dir, `node-${node}.log`),
          env: {
            POSTHORN_PORT: '0',
            POSTHORN_ADMIN_TOKEN: operatorToken,
            POSTHORN_SECRET_KEY: Buffer.alloc(32, 11).toString('base64'),
            POSTHORN_ALLOWED_NETWORKS: '127.0.0.0/8',
            POSTHORN_RETRY_SCHEDULE: scheduleMs.map((ms) => `${ms}ms`).join(','),
            POSTHORN_TIMEOUT: `${timeoutMs}ms`,
            // The receiver learns from the name which node has sent a request.
            POSTHORN_SIGNATURE_HEADER: `x-torture-${node}-signature`,
            POSTHORN_WEBHOOKS_PER_TEAM: '1000',
            POSTHORN_BREAKER_FAILURES: '1000',
            POSTHORN_LOG_LEVEL: 'warn',
            ...(retentionMs !== null && { POSTHORN_RETENTION: `${retentionMs}ms` }),
            ...envOf(node),
            ...options.env,
          },
        }),
    );
  }

  async start(types: readonly string[]): Promise<void> {
    await this.startNode(0);
    await Promise.all(this.servers.slice(1).map((_, index) => this.startNode(index + 1)));
    // Known to every node from the answer on.
    for (const type of types) {
      const schema = { type: 'object', properties: { n: { type: 'number' } }, required: ['n'] };
      const body = { type, label: type, category: 'Torture', schema, sample: { n: -1 } };
      const reply = await this.#call(0, 'POST', '/v1/event-types', body, readWithinMs);
      if (reply?.status !== 200)
        throw new Error(`The event type ${type} was refused: ${JSON.stringify(reply)}`);
    }
  }

  async stop(): Promise<void> {
    await Promise.all(this.servers.map((server) => server.end('SIGKILL')));
  }

  kill(node: number): Promise<void> {
    return this.server(node).end('SIGKILL');
  }

  async startNode(node: number): Promise<void> {
    const server = this.server(node);
    server.launch();
    await server.whenReady();
  }

  server(node: number): ServerNode {
    const server = this.servers[node];
    if (server === undefined) throw new Error(`There is no node ${node}.`);
    return server;
  }

  async anyNode(choose: (ready: number[]) => number): Promise<number> {
    for (;;) {
      const ready = this.servers.flatMap(({ url, paused }, node) => (url !== null && !paused ? [node] : []));
      if (ready.length > 0) return choose(ready);
      await pause(20);
    }
  }

  async #call(
    node: number,
    method: string,
    path: string,
    body?: unknown,
    timeoutMs = callWithinMs,
  ): Promise<Reply | null> {
    const { url } = this.server(node);
    if (url === null) return null;
    const headers = { authorization: `Bearer ${operatorToken}` };
    return ask({ method, url: url + path, headers, timeoutMs, ...(body === undefined ? {} : { body }) });
  }

  async #change(node: number, method: string, path: string, body?: unknown): Promise<Outcome | null> {
    const reply = await this.#call(node, method, path, body);
    if (reply === null) return null;
    const made = reply.status < 300 ? (reply.body as AnswerBody) : null;
    const { id, secret, matched, events } = made ?? {};
    return {
      status: reply.status,
      body: {
        ...(id !== undefined && { id }),
        ...(secret !== undefined && { secret }),
        ...(matched !== undefined && { matched }),
        ...(events !== undefined && { events }),
      },
    };
  }

  /** Reads until it is answered: reading changes nothing. Null where there is no such thing. */
  async #find<Body>(node: number, path: string): Promise<Body | null> {
    for (let tries = 1; ; tries++) {
      const reply = await this.#call(node, 'GET', path, undefined, readWithinMs);
      if (reply?.status === 200) return reply.body as Body;
      if (reply?.status === 404) return null;
      if (tries === 20)
        throw new Unread(`GET ${path} of node ${node} is not answered: ${JSON.stringify(reply)}`);
      await pause(250);
    }
  }

  async #read<Body>(node: number, path: string): Promise<Body> {
    const found = await this.#find<Body>(node, path);
    if (found === null) throw new Unread(`GET ${path} of node ${node} is answered with 404.`);
    return found;
  }

  createEndpoint(node: number, url: string, { types, projects }: HookConfig): Promise<Outcome | null> {
    const body = { url, events: types, ...(projects !== null && { projectIds: projects }) };
    return this.#change(node, 'POST', '/v1/webhooks', body);
  }

  changeEndpoint(node: number, id: string, patch: Partial<HookConfig>): Promise<Outcome | null> {
    const { types, projects, enabled } = patch;
    return this.#change(node, 'PATCH', `/v1/webhooks/${id}`, {
      ...(types !== undefined && { events: types }),
      ...(projects !== undefined && { projectIds: projects }),
      ...(enabled !== undefined && { enabled }),
    });
  }

  removeEndpoint(node: number, id: string): Promise<Outcome | null> {
    return this.#change(node, 'DELETE', `/v1/webhooks/${id}`);
  }

  testEndpoint(node: number, id: string, type: string): Promise<Outcome | null> {
    return this.#change(node, 'POST', `/v1/webhooks/${id}/test`, { type });
  }

  async publish(node: number, events: readonly PublishedEvent[], array: boolean): Promise<Outcome | null> {
    const sent = events.map(({ n: _n, id, type, payload, projectId, region, createdAt }) => ({
      type,
      payload,
      ...(id !== null && { id }),
      ...(projectId !== null && { projectId }),
      ...(region !== null && { region }),
      ...(createdAt !== null && { createdAt }),
    }));
    const reply = await this.#call(node, 'POST', '/v1/events', array ? sent : sent[0]);
    if (reply === null) return null;
    if (reply.status >= 300) return { status: reply.status, body: null };
    const made = array ? (reply.body as { events: [] }).events : [reply.body as never];
    return { status: reply.status, body: { events: made } };
  }

  redeliver(node: number, deliveryId: string): Promise<Outcome | null> {
    return this.#change(node, 'POST', `/v1/deliveries/${deliveryId}/redeliver`);
  }

  rotateSecret(node: number, id: string, overlapMs: number): Promise<Outcome | null> {
    return this.#change(node, 'POST', `/v1/webhooks/${id}/rotate-secret`, { overlap: overlapMs / 1_000 });
  }

  replay(node: number, id: string, { rate, ...wish }: ReplayWish): Promise<Outcome | null> {
    const body = { ...wish, ...(rate !== null && { rate }) };
    return this.#change(node, 'POST', `/v1/webhooks/${id}/replay`, body);
  }

  async isReplayOver(node: number, replayId: string): Promise<boolean | null> {
    const reply = await this.#call(node, 'GET', `/v1/replays/${replayId}`);
    return reply?.status === 200 ? (reply.body as { state: string }).state !== 'running' : null;
  }

  async isReplaying(node: number, id: string): Promise<boolean> {
    const path = `/v1/webhooks/${id}`;
    const list = await this.#find<{ replays: { state: string }[] }>(node, `${path}/replays?limit=100`);
    if (list?.replays.some(({ state }) => state === 'running') === true) return true;
    // Attempts beside finished deliveries are part of the backlog, and of no list.
    const health = await this.#find<{ backlog: number }>(node, `${path}/health`);
    return (health?.backlog ?? 0) > 0;
  }

  changeProject(node: number, causes: string, id: string | null, name: string): Promise<Outcome | null> {
    if (causes === 'project.created')
      return this.#change(node, 'POST', '/v11/projects', { name, ...(id !== null && { id }) });
    if (causes === 'project.renamed') return this.#change(node, 'PATCH', `/v9/projects/${id}`, { name });
    return this.#change(node, 'DELETE', `/v9/projects/${id}`);
  }

  async listEndpoints(node: number): Promise<Map<string, string>> {
    const hooks = await this.#read<{ id: string; url: string }[]>(node, '/v1/webhooks');
    return new Map(hooks.map(({ id, url }) => [url, id]));
  }

  async listEvents(node: number, cursor: string | null) {
    const page = await this.#read<{ events: Omit<EventView, 'body'>[]; pagination: { next: string | null } }>(
      node,
      `/v1/events?limit=100${cursor === null ? '' : `&cursor=${cursor}`}`,
    );
    const events = page.events.map(
      ({ id, type, projectId, createdAt, test }): EventView => ({
        id,
        type,
        projectId,
        createdAt,
        test,
        body: null,
      }),
    );
    return { events, next: page.pagination.next };
  }

  async readBody(node: number, eventId: string): Promise<string | null> {
    return (await this.#find<{ body: string }>(node, `/v1/events/${eventId}`))?.body ?? null;
  }

  async listDeliveries(
    node: number,
    endpointId: string,
    state: DeliveryView['state'] | null,
    cursor: string | null,
  ): Promise<DeliveryPage> {
    const query = `${state === null ? '' : `&state=${state}`}${cursor === null ? '' : `&cursor=${cursor}`}`;
    const page = await this.#find<{
      deliveries: {
        id: string;
        eventId: string;
        state: DeliveryView['state'];
        attempts: number;
        lastStatus: number | null;
      }[];
      pagination: { next: string | null };
    }>(node, `/v1/webhooks/${endpointId}/deliveries?limit=100${query}`);
    // A webhook that was made and is not there: what it should have got is missed one by one.
    if (page === null) return { deliveries: [], ids: [], next: null };
    return {
      deliveries: page.deliveries.map(({ eventId, attempts, lastStatus, ...rest }) => ({
        event: eventId,
        state: rest.state,
        attempts,
        lastStatus,
      })),
      ids: page.deliveries.map(({ id }) => id),
      next: page.pagination.next,
    };
  }

  async readAttempts(node: number, deliveryId: string): Promise<AttemptView[]> {
    const found = await this.#find<{
      attempts: (Omit<AttemptView, 'trace'> & { request: { headers: Record<string, string> } })[];
    }>(node, `/v1/deliveries/${deliveryId}`);
    return (found?.attempts ?? []).map(({ number, status, error, durationMs, request }) => ({
      number,
      status,
      error,
      durationMs,
      trace: request.headers.traceparent ?? null,
    }));
  }

  async readFenced(): Promise<Map<string, number>> {
    const figures = new Map<string, number>();
    await Promise.all(
      this.servers.map(async ({ url, life, paused }, node) => {
        if (url === null || paused) return;
        const reply = await ask({ method: 'GET', url: `${url}/metrics`, timeoutMs: 2_000 });
        const found = /^posthorn_attempts_total\{outcome="lost"\} (\d+)/m.exec(
          typeof reply?.body === 'string' ? reply.body : '',
        );
        if (found !== null) figures.set(`${node}.${life}`, Number(found[1]));
      }),
    );
    return figures;
  }
}

/** The envelope of an event as Posthorn documents it, made here anew. */
function bodyOf({ type, payload, region }: PublishedEvent, id: string, createdAt: number): string {
  return JSON.stringify({ id, type, createdAt, payload, region });
}

/**
 * Both signatures of a request, by the documentation of Vercel and of Standard Webhooks: while a rotation overlaps, the one
 * is made with the secret before it and the other has both.
 */
function isSigned({ current, old }: Keys, body: string, signatures: Record<string, string>): boolean {
  const timestamp = signatures['webhook-timestamp'] ?? '';
  const { id } = JSON.parse(body) as { id: string };
  const standard = (secret: string): string => {
    const hmac = createHmac('sha256', Buffer.from(secret, 'base64')).update(`${id}.${timestamp}.${body}`);
    return `v1,${hmac.digest('base64')}`;
  };
  const isRight = (given: string | undefined, secret: string | null, sign: (secret: string) => string) =>
    given !== undefined && (secret === null || equals(given, sign(secret)));
  const given = (signatures['webhook-signature'] ?? '').split(' ');
  const secrets = old === null ? [current] : [current, old.secret];
  const vercel = (secret: string) => createHmac('sha1', secret).update(body).digest('hex');
  return (
    isRight(signatures['x-vercel-signature'], old === null ? current : old.secret, vercel) &&
    given.length === secrets.length &&
    secrets.every((secret, at) => isRight(given[at], secret, standard))
  );
}

/** The time of the attempt, which Standard Webhooks' signature is about too. */
function signedAt(signatures: Record<string, string>): number | null {
  const second = Number(signatures['webhook-timestamp'] ?? Number.NaN);
  return Number.isInteger(second) ? second * 1_000 : null;
}

function equals(given: string, wanted: string): boolean {
  const [a, b] = [Buffer.from(given), Buffer.from(wanted)];
  return a.length === b.length && timingSafeEqual(a, b);
}
