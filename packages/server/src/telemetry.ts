// What operators see: log lines, metrics, spans. Names and labels are documented API (docs/reference/metrics.md).
import { type Span, SpanKind, SpanStatusCode, trace } from '@opentelemetry/api';
import pino, { type Logger } from 'pino';
import { Counter, collectDefaultMetrics, Gauge, Registry } from 'prom-client';
import type { Settings } from './config.ts';
import type { Task } from './engine/attempt.ts';
import type { AttemptNews } from './engine/dispatcher.ts';
import type { Endpoint } from './engine/endpoints.ts';
import { deliveryId, newTraceparent, timeOfId } from './id.ts';
import type { StoreFigures } from './store/store.ts';

/** Where log lines go: one JSON object a line on stdout, written in blocks. */
export interface Log {
  logger: Logger;
  /** Writes a line that is already JSON, for the two lines that every delivery costs. */
  line(json: string): void;
  /** Whether the level lets those lines through. */
  lines: boolean;
  flush(): void;
}

export function createLog(level: Settings['logLevel']): Log {
  const destination = pino.destination({ dest: 1, sync: false, minLength: 8_192, periodicFlush: 200 });
  const logger = pino({ level, base: undefined, serializers: { err: pino.stdSerializers.err } }, destination);
  return {
    logger,
    line: (json) => {
      destination.write(json);
    },
    lines: logger.isLevelEnabled('info'),
    flush: () => destination.flushSync(),
  };
}

const attemptBuckets = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30];
const requestBuckets = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1, 5];

export interface Sources {
  figures(): Promise<StoreFigures>;
  dispatcher(): { lanes: number; underWay: number; waiting: number; openBreakers: number };
  now(): number;
}

/** A histogram for the hot path: prom-client hashes the labels of every observation, this one only adds. */
class Distribution {
  readonly #bounds: number[];
  readonly #series = new Map<string, { labels: Record<string, string>; counts: number[]; sum: number }>();

  constructor(registry: Registry, name: string, help: string, bounds: number[]) {
    this.#bounds = bounds;
    const get = () =>
      Promise.resolve({ name, help, type: 'histogram', aggregator: 'sum', values: this.#values(name) });
    registry.registerMetric({ name, help, type: 'histogram', aggregator: 'sum', get, reset() {} } as never);
  }

  /** The series of a set of labels, made once and kept by whoever observes. */
  series(key: string, labels: () => Record<string, string>): { counts: number[]; sum: number } {
    let series = this.#series.get(key);
    if (series === undefined) {
      series = { labels: labels(), counts: Array.from({ length: this.#bounds.length + 1 }, () => 0), sum: 0 };
      this.#series.set(key, series);
    }
    return series;
  }

  observe(key: string, labels: () => Record<string, string>, seconds: number): void {
    const series = this.series(key, labels);
    let bucket = 0;
    while (bucket < this.#bounds.length && seconds > (this.#bounds[bucket] as number)) bucket += 1;
    series.counts[bucket] = (series.counts[bucket] as number) + 1;
    series.sum += seconds;
  }

  #values(name: string) {
    return [...this.#series.values()].flatMap(({ labels, counts, sum }) => {
      let total = 0;
      const buckets = counts.map((count, at) => {
        total += count;
        const le = this.#bounds[at] ?? '+Inf';
        return { labels: { le, ...labels }, value: total, metricName: `${name}_bucket` };
      });
      return [
        ...buckets,
        { labels, value: sum, metricName: `${name}_sum` },
        { labels, value: total, metricName: `${name}_count` },
      ];
    });
  }
}

const noLabels = () => ({});

/** What is counted, under the names that docs/reference/metrics.md lists. */
export class Metrics {
  readonly registry = new Registry();
  #accepted = 0;
  readonly #attempts = new Map<string, number>();
  readonly #faults = new Counter({
    name: 'posthorn_faults_total',
    help: 'Faults of the server’s own, by what it was doing.',
    labelNames: ['doing'],
    registers: [this.registry],
  });
  readonly #duration = new Distribution(
    this.registry,
    'posthorn_attempt_duration_seconds',
    'From the start of an attempt to its end.',
    attemptBuckets,
  );
  readonly #latency = new Distribution(
    this.registry,
    'posthorn_delivery_latency_seconds',
    'From the acceptance of an event to a 2xx answer, retries included.',
    [...attemptBuckets, 60, 300, 3_600, 86_400],
  );
  readonly #requests = new Distribution(
    this.registry,
    'posthorn_http_request_duration_seconds',
    'API requests, by method, route and status.',
    requestBuckets,
  );

  constructor(sources: Sources) {
    collectDefaultMetrics({ register: this.registry });
    this.#counters();
    this.#gauges(sources);
  }

  #counters(): void {
    const total = () => this.#accepted;
    const attempts = this.#attempts;
    new Counter({
      name: 'posthorn_events_accepted_total',
      help: 'Events stored, by publishing or by a change.',
      registers: [this.registry],
      collect() {
        this.reset();
        this.inc(total());
      },
    });
    new Counter({
      name: 'posthorn_attempts_total',
      help: 'Attempts recorded, by outcome.',
      labelNames: ['outcome'],
      registers: [this.registry],
      collect() {
        this.reset();
        for (const [outcome, count] of attempts) this.inc({ outcome }, count);
      },
    });
  }

  /** Gauges read when somebody asks: once per scrape, from counters and never by counting rows. */
  #gauges({ figures, dispatcher, now }: Sources): void {
    const gauge = (name: string, help: string) => new Gauge({ name, help, registers: [this.registry] });
    const pending = gauge('posthorn_pending_deliveries', 'Deliveries waiting for an attempt or in one.');
    const held = gauge('posthorn_leased_deliveries', 'Pending deliveries that a node holds.');
    const oldest = gauge(
      'posthorn_oldest_pending_age_seconds',
      'Age of the oldest pending delivery, 0 if none.',
    );
    const waitingLanes = gauge('posthorn_waiting_lanes', 'Endpoints with deliveries that wait in the store.');
    const commits = gauge('posthorn_store_commits', 'Commits since the start.');
    const rows = gauge(
      'posthorn_store_commit_rows',
      'Publish calls and attempts that those commits carried.',
    );
    const lanes = gauge('posthorn_lanes', 'Endpoints that this node has in memory.');
    const underWay = gauge('posthorn_attempts_under_way', 'Requests under way.');
    const queued = gauge(
      'posthorn_attempts_queued',
      'Deliveries in this node’s memory that wait for their turn.',
    );
    const breakers = gauge('posthorn_open_breakers', 'Endpoints whose breaker is not closed.');
    new Gauge({
      name: 'posthorn_ready',
      help: 'Whether the store answered this scrape.',
      registers: [this.registry],
      async collect() {
        const local = dispatcher();
        lanes.set(local.lanes);
        underWay.set(local.underWay);
        queued.set(local.waiting);
        breakers.set(local.openBreakers);
        try {
          const stored = await figures();
          const oldestAt = stored.oldestKey === null ? null : timeOfId(stored.oldestKey);
          pending.set(stored.pending);
          held.set(stored.held);
          oldest.set(oldestAt === null ? 0 : Math.max(0, now() - oldestAt) / 1000);
          waitingLanes.set(stored.waitingLanes);
          commits.set(stored.commits);
          rows.set(stored.commitRows);
          this.set(1);
        } catch {
          this.set(0);
        }
      },
    });
  }

  countAccepted(events: number): void {
    this.#accepted += events;
  }

  countFault(doing: string): void {
    this.#faults.inc({ doing });
  }

  observeRequest(method: string, route: string, status: number, seconds: number): void {
    const key = `${method} ${route} ${status}`;
    this.#requests.observe(key, () => ({ method, route, status: String(status) }), seconds);
  }

  observeAttempt({ task, result, next }: AttemptNews, now: number): void {
    this.#attempts.set(next, (this.#attempts.get(next) ?? 0) + 1);
    this.#duration.observe('', noLabels, result.timings.totalMs / 1000);
    if (next === 'delivered') this.#latency.observe('', noLabels, Math.max(0, now - task.createdAt) / 1000);
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
