// What operators see: log lines, metrics, spans. Names and labels are documented API (docs/reference/metrics.md).
import { fstatSync } from 'node:fs';
import { type Span, SpanKind, SpanStatusCode, trace } from '@opentelemetry/api';
import pino, { type Logger } from 'pino';
import { Counter, collectDefaultMetrics, Gauge, Registry } from 'prom-client';
import type { Clock, Timer } from './clock.ts';
import type { Settings } from './config.ts';
import type { Task } from './engine/attempt.ts';
import type { AttemptNews } from './engine/dispatcher.ts';
import type { Endpoint } from './engine/endpoints.ts';
import {
  attemptBounds,
  type Distribution,
  type EngineFigures,
  latencyBounds,
  newDistribution,
  observe,
} from './engine/tally.ts';
import { deliveryId, newTraceparent, timeOfId } from './id.ts';
import type { StoreFigures } from './store/store.ts';

/**
 * Where log lines go: one JSON object a line on stdout, written in blocks that a pipe takes whole (PIPE_BUF is 4 KiB),
 * since two threads write.
 */
export interface Log {
  logger: Logger;
  /** Writes a line that is already JSON, for the two lines that every delivery costs. */
  line(json: string): void;
  /** Whether the level lets those lines through. */
  lines: boolean;
  flush(): void;
}

/**
 * What a block of lines is filled up to, and the most that is written at once. A pipe takes 4 KiB whole; a file takes
 * anything, and each block costs a thread of libuv's pool a wake-up.
 */
const blocks = { pipe: { length: 3_072, most: 4_096 }, file: { length: 32_768, most: 65_536 } } as const;
/** How long a block that is not full waits. */
const blockWaitMs = 200;

function chooseBlocks(): (typeof blocks)['pipe' | 'file'] {
  try {
    return fstatSync(1).isFile() ? blocks.file : blocks.pipe;
  } catch {
    // Closed: whatever is written goes nowhere.
    return blocks.pipe;
  }
}

/**
 * The lines of requests and attempts are gathered into blocks here: the destination measures the bytes of every string it
 * is given, which cost 1.1 µs a line.
 */
export function createLog(level: Settings['logLevel'], clock: Clock): Log {
  const { length: blockLength, most: maxWrite } = chooseBlocks();
  const destination = pino.destination({ dest: 1, sync: false, minLength: blockLength, maxWrite });
  let block = '';
  let timer: Timer | null = null;
  const release = () => {
    timer?.cancel();
    timer = null;
    if (block === '') return;
    destination.write(block);
    block = '';
  };
  const releaseAll = () => {
    release();
    destination.flush();
  };
  // A line of the logger comes behind those before it.
  const stream = {
    write(line: string) {
      release();
      destination.write(line);
      timer ??= clock.after(blockWaitMs, releaseAll);
    },
  };
  const logger = pino({ level, base: undefined, serializers: { err: pino.stdSerializers.err } }, stream);
  const flush = () => {
    release();
    destination.flushSync();
  };
  process.once('exit', flush);
  return {
    logger,
    line(json) {
      block += json;
      if (block.length >= blockLength) release();
      else timer ??= clock.after(blockWaitMs, releaseAll);
    },
    lines: logger.isLevelEnabled('info'),
    flush,
  };
}

const requestBounds = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1, 5];

export interface Sources {
  store(): Promise<StoreFigures>;
  engine(): Promise<EngineFigures>;
  now(): number;
  /** Calls refused for a quota or a rate limit, by limit. */
  refused(): Record<string, number>;
}

type Labels = Record<string, string>;
interface Series {
  labels: Labels;
  distribution: Distribution;
}

/** A histogram that only adds on the hot path; prom-client hashes the labels of every observation. */
function registerHistogram(
  registry: Registry,
  name: string,
  help: string,
  bounds: number[],
  series: () => Series[],
): void {
  const values = () =>
    series().flatMap(({ labels, distribution: { counts, sum } }) => {
      let total = 0;
      const buckets = counts.map((count, at) => {
        total += count;
        return {
          labels: { le: bounds[at] ?? '+Inf', ...labels },
          value: total,
          metricName: `${name}_bucket`,
        };
      });
      return [
        ...buckets,
        { labels, value: sum, metricName: `${name}_sum` },
        { labels, value: total, metricName: `${name}_count` },
      ];
    });
  const metric = { name, help, type: 'histogram', aggregator: 'sum' };
  registry.registerMetric({
    ...metric,
    get: () => Promise.resolve({ ...metric, values: values() }),
    reset() {},
  } as never);
}

/** What is counted, under the names that docs/reference/metrics.md lists. */
export class Metrics {
  readonly #registry = new Registry();
  readonly #sources: Sources;
  #accepted = 0;
  readonly #requests = new Map<string, Series>();
  #engine: EngineFigures | null = null;
  #store: StoreFigures | null = null;

  constructor(sources: Sources) {
    this.#sources = sources;
    collectDefaultMetrics({ register: this.#registry });
    this.#registerCounters();
    this.#registerGauges();
    this.#registerHistograms();
  }

  get contentType(): string {
    return this.#registry.contentType;
  }

  /** The text of a scrape. Store and engine are asked once; what does not answer is left as it was. */
  async scrape(): Promise<string> {
    const [store, engine] = await Promise.allSettled([this.#sources.store(), this.#sources.engine()]);
    this.#store = store.status === 'fulfilled' ? store.value : null;
    if (engine.status === 'fulfilled') this.#engine = engine.value;
    return this.#registry.metrics();
  }

  #registerCounters(): void {
    const counter = (
      name: string,
      help: string,
      label: string | null,
      values: () => Record<string, number>,
    ) =>
      new Counter({
        name,
        help,
        labelNames: label === null ? [] : [label],
        registers: [this.#registry],
        collect() {
          this.reset();
          for (const [value, count] of Object.entries(values()))
            this.inc(label === null ? {} : { [label]: value }, count);
        },
      });
    counter('posthorn_events_accepted_total', 'Events stored, by publishing or by a change.', null, () => ({
      all: this.#accepted,
    }));
    counter(
      'posthorn_attempts_total',
      'Attempts recorded, by outcome.',
      'outcome',
      () => this.#engine?.attempts ?? {},
    );
    counter(
      'posthorn_faults_total',
      'Faults of the engine’s own, by what it was doing.',
      'doing',
      () => this.#engine?.faults ?? {},
    );
    counter(
      'posthorn_limit_refusals_total',
      'Calls refused for a quota or a rate limit, by limit.',
      'limit',
      () => this.#sources.refused(),
    );
    counter('posthorn_store_commits_total', 'Commits of the store.', null, () => ({
      all: this.#store?.commits ?? 0,
    }));
    counter(
      'posthorn_store_commit_rows_total',
      'Publish calls and attempts that those commits carried.',
      null,
      () => ({
        all: this.#store?.commitRows ?? 0,
      }),
    );
  }

  #registerGauges(): void {
    const gauge = (name: string, help: string, value: () => number) =>
      new Gauge({
        name,
        help,
        registers: [this.#registry],
        collect() {
          this.set(value());
        },
      });
    gauge('posthorn_store_up', 'Whether the store answered this scrape.', () =>
      this.#store === null ? 0 : 1,
    );
    gauge(
      'posthorn_pending_deliveries',
      'Deliveries waiting for an attempt or in one.',
      () => this.#store?.pending ?? 0,
    );
    gauge(
      'posthorn_leased_deliveries',
      'Pending deliveries that a node holds.',
      () => this.#store?.held ?? 0,
    );
    gauge('posthorn_oldest_pending_age_seconds', 'Age of the oldest pending delivery, 0 if none.', () =>
      this.#oldestAge(),
    );
    gauge(
      'posthorn_waiting_lanes',
      'Endpoints with deliveries that wait in the store.',
      () => this.#store?.waitingLanes ?? 0,
    );
    gauge('posthorn_lanes', 'Endpoints that this node has in memory.', () => this.#engine?.lanes ?? 0);
    gauge(
      'posthorn_attempts_under_way',
      'Requests to endpoints under way.',
      () => this.#engine?.underWay ?? 0,
    );
    gauge(
      'posthorn_attempts_queued',
      'Deliveries in memory that wait for their turn.',
      () => this.#engine?.waiting ?? 0,
    );
    gauge(
      'posthorn_open_breakers',
      'Endpoints whose breaker is not closed.',
      () => this.#engine?.openBreakers ?? 0,
    );
  }

  #oldestAge(): number {
    const key = this.#store?.oldestKey ?? null;
    const at = key === null ? null : timeOfId(key);
    return at === null ? 0 : Math.max(0, this.#sources.now() - at) / 1000;
  }

  #registerHistograms(): void {
    const unlabelled = (distribution: Distribution | undefined): Series[] =>
      distribution === undefined ? [] : [{ labels: {}, distribution }];
    registerHistogram(
      this.#registry,
      'posthorn_attempt_duration_seconds',
      'From the start of an attempt to its end.',
      attemptBounds,
      () => unlabelled(this.#engine?.duration),
    );
    registerHistogram(
      this.#registry,
      'posthorn_delivery_latency_seconds',
      'From the acceptance of an event to a 2xx answer, retries included.',
      latencyBounds,
      () => unlabelled(this.#engine?.latency),
    );
    registerHistogram(
      this.#registry,
      'posthorn_http_request_duration_seconds',
      'API requests, by method, route and status.',
      requestBounds,
      () => [...this.#requests.values()],
    );
  }

  countAccepted(events: number): void {
    this.#accepted += events;
  }

  observeRequest(method: string, route: string, status: number, seconds: number): void {
    const key = `${method} ${route} ${status}`;
    let series = this.#requests.get(key);
    if (series === undefined) {
      series = {
        labels: { method, route, status: String(status) },
        distribution: newDistribution(requestBounds),
      };
      this.#requests.set(key, series);
    }
    observe(series.distribution, requestBounds, seconds);
  }
}

/** One wide line per attempt. Nothing in it needs escaping: ids, names of the catalogue, causes and numbers. */
export function logAttempt(
  log: Log,
  { task, endpoint, result, settled, next }: AttemptNews,
  now: number,
): void {
  if (!log.lines) return;
  const { status, cause } = settled;
  log.line(
    `{"level":30,"time":${now},"delivery":"${deliveryId(task.key)}","webhook":"${endpoint.id}","team":"${endpoint.teamId}",` +
      `"type":"${task.type}","attempt":${task.number},"status":${status},${cause === null ? '' : `"error":"${cause}",`}` +
      `"ms":${Math.round(result.timings.totalMs)},"next":"${next}","msg":"attempt"}\n`,
  );
}

export interface RequestNews {
  requestId: string;
  method: string;
  route: string;
  status: number;
  ms: number;
  tokenId: string | null;
  teamId: string | null;
}

/** One wide line per request. The route is its pattern, never what a caller wrote; so nothing needs escaping. */
export function logRequest(log: Log, news: RequestNews, now: number): void {
  if (!log.lines) return;
  const { requestId, method, route, status, ms, tokenId, teamId } = news;
  log.line(
    `{"level":30,"time":${now},"requestId":"${requestId}","method":"${method}","route":"${route}","status":${status},` +
      `"ms":${Math.round(ms * 10) / 10}${tokenId === null ? '' : `,"token":"${tokenId}"`}` +
      `${teamId === null ? '' : `,"team":"${teamId}"`},"msg":"request"}\n`,
  );
}

const tracer = trace.getTracer('posthorn');

/** A span around one attempt; the receiver is told of it by `traceparent`. */
export interface AttemptSpan {
  traceparent: string;
  end(status: number | null, cause: string | null): void;
}

const unwatched = () => {};

export function startAttemptSpan(task: Task, endpoint: Endpoint): AttemptSpan {
  const span: Span = tracer.startSpan('posthorn.attempt', { kind: SpanKind.CLIENT });
  if (!span.isRecording()) return { traceparent: newTraceparent(), end: unwatched };
  const { traceId, spanId, traceFlags } = span.spanContext();
  span.setAttributes({
    'posthorn.delivery.id': deliveryId(task.key),
    'posthorn.webhook.id': endpoint.id,
    'posthorn.event.type': task.type,
    'posthorn.attempt.number': task.number,
    'url.full': endpoint.url,
    'http.request.method': 'POST',
  });
  return {
    traceparent: `00-${traceId}-${spanId}-${traceFlags.toString(16).padStart(2, '0')}`,
    end(status, cause) {
      if (status !== null) span.setAttribute('http.response.status_code', status);
      if (cause !== null) span.setStatus({ code: SpanStatusCode.ERROR, message: cause });
      span.end();
    },
  };
}

/** A span around one publish call, from its judgement to its commit. */
export function startPublishSpan(team: string, events: number): Span {
  const span = tracer.startSpan('posthorn.publish', { kind: SpanKind.SERVER });
  if (span.isRecording()) span.setAttributes({ 'posthorn.team.id': team, 'posthorn.events': events });
  return span;
}
