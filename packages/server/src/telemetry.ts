// What operators see: log lines, metrics, spans. Names and labels are documented API (docs/reference/metrics.md).
import { type Span, SpanKind, SpanStatusCode, trace } from '@opentelemetry/api';
import pino, { type Logger } from 'pino';
import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';
import type { Settings } from './config.ts';
import type { Task } from './engine/attempt.ts';
import type { AttemptNews } from './engine/dispatcher.ts';
import type { Endpoint } from './engine/endpoints.ts';
import { deliveryId, newTraceparent, timeOfId } from './id.ts';
import type { StoreFigures } from './store/store.ts';

/** One JSON line per event on stdout, written in blocks; `flush` writes what waits. */
export function createLogger(level: Settings['logLevel']): { logger: Logger; flush(): void } {
  const destination = pino.destination({ dest: 1, sync: false, minLength: 8_192, periodicFlush: 500 });
  const logger = pino({ level, base: undefined, serializers: { err: pino.stdSerializers.err } }, destination);
  return { logger, flush: () => destination.flushSync() };
}

const attemptBuckets = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30];
const requestBuckets = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1, 5];

export interface Sources {
  figures(): Promise<StoreFigures>;
  dispatcher(): { lanes: number; underWay: number; waiting: number; openBreakers: number };
  now(): number;
}

/** What is counted, under the names that docs/reference/metrics.md lists. */
export class Metrics {
  readonly registry = new Registry();
  readonly #accepted = this.#counter('posthorn_events_accepted_total', 'Events stored, by publishing or by a change.');
  readonly #attempts = this.#counter('posthorn_attempts_total', 'Attempts recorded, by outcome.', ['outcome']);
  readonly #faults = this.#counter('posthorn_faults_total', 'Faults of the server’s own, by what it was doing.', ['doing']);
  readonly #duration = this.#histogram('posthorn_attempt_duration_seconds', 'From the start of an attempt to its end.', attemptBuckets);
  readonly #latency = this.#histogram(
    'posthorn_delivery_latency_seconds',
    'From the acceptance of an event to a 2xx answer, retries included.',
    [...attemptBuckets, 60, 300, 3_600, 86_400],
  );
  readonly #requests = new Histogram({
    name: 'posthorn_http_request_duration_seconds',
    help: 'API requests, by route and status.',
    labelNames: ['method', 'route', 'status'],
    buckets: requestBuckets,
    registers: [this.registry],
  });

  constructor(sources: Sources) {
    collectDefaultMetrics({ register: this.registry });
    this.#gauges(sources);
  }

  #counter(name: string, help: string, labelNames: string[] = []): Counter {
    return new Counter({ name, help, labelNames, registers: [this.registry] });
  }

  #histogram(name: string, help: string, buckets: number[]): Histogram {
    return new Histogram({ name, help, buckets, registers: [this.registry] });
  }

  /** Gauges read when somebody asks: once per scrape, from counters and never by counting rows. */
  #gauges({ figures, dispatcher, now }: Sources): void {
    const gauge = (name: string, help: string) => new Gauge({ name, help, registers: [this.registry] });
    const pending = gauge('posthorn_pending_deliveries', 'Deliveries waiting for an attempt or in one.');
    const held = gauge('posthorn_leased_deliveries', 'Pending deliveries that a node holds.');
    const oldest = gauge('posthorn_oldest_pending_age_seconds', 'Age of the oldest pending delivery, 0 if none.');
    const waitingLanes = gauge('posthorn_waiting_lanes', 'Endpoints with deliveries that wait in the store.');
    const commits = gauge('posthorn_store_commits', 'Commits since the start.');
    const rows = gauge('posthorn_store_commit_rows', 'Publish calls and attempts that those commits carried.');
    const lanes = gauge('posthorn_lanes', 'Endpoints that this node has in memory.');
    const underWay = gauge('posthorn_attempts_under_way', 'Requests under way.');
    const queued = gauge('posthorn_attempts_queued', 'Deliveries in this node’s memory that wait for their turn.');
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
    this.#accepted.inc(events);
  }

  countFault(doing: string): void {
    this.#faults.inc({ doing });
  }

  observeRequest(method: string, route: string, status: number, seconds: number): void {
    this.#requests.observe({ method, route, status }, seconds);
  }

  observeAttempt({ task, result, next }: AttemptNews, now: number): void {
    this.#attempts.inc({ outcome: next });
    this.#duration.observe(result.timings.totalMs / 1000);
    if (next === 'delivered') this.#latency.observe(Math.max(0, now - task.createdAt) / 1000);
  }
}

/** One wide line per attempt. */
export function logAttempt(logger: Logger, { task, endpoint, result, settled, next }: AttemptNews): void {
  logger.info(
    {
      delivery: deliveryId(task.key),
      webhook: endpoint.id,
      team: endpoint.teamId,
      type: task.type,
      attempt: task.number,
      status: settled.status,
      error: settled.cause ?? undefined,
      ms: Math.round(result.timings.totalMs),
      next,
    },
    'attempt',
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
