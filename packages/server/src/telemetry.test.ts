import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SpanStatusCode, trace } from '@opentelemetry/api';
import {
  BasicTracerProvider,
  InMemorySpanExporter,
  SimpleSpanProcessor,
} from '@opentelemetry/sdk-trace-base';
import type { Task } from './engine/attempt.ts';
import type { Endpoint } from './engine/endpoints.ts';
import { startAttemptSpan, startPublishSpan } from './telemetry.ts';

const task = { key: 'P79HuwyXhUr9RDO-VSs52AAAAAAAA', type: 'deployment.succeeded', number: 2 } as Task;
const endpoint = { id: 'account_hook_1', url: 'https://example.com/hook' } as Endpoint;

test('without an SDK the receiver still gets a well-formed traceparent, another one each time', () => {
  const headers = [startAttemptSpan(task, endpoint), startAttemptSpan(task, endpoint)].map(
    (span) => span.traceparent,
  );
  for (const header of headers) assert.match(header, /^00-[0-9a-f]{32}-[0-9a-f]{16}-00$/);
  assert.notEqual(headers[0], headers[1]);
});

test('with an SDK loaded, attempts and publish calls are spans, and traceparent names the attempt’s', () => {
  const exporter = new InMemorySpanExporter();
  trace.setGlobalTracerProvider(
    new BasicTracerProvider({ spanProcessors: [new SimpleSpanProcessor(exporter)] }),
  );
  startPublishSpan('team_1', 3).end();
  const span = startAttemptSpan(task, endpoint);
  span.end(503, 'status_503');
  const [publish, attempt] = exporter.getFinishedSpans();
  assert.equal(publish?.name, 'posthorn.publish');
  assert.deepEqual(publish?.attributes, { 'posthorn.team.id': 'team_1', 'posthorn.events': 3 });
  assert.ok(attempt !== undefined);
  const { traceId, spanId } = attempt.spanContext();
  assert.equal(span.traceparent, `00-${traceId}-${spanId}-01`);
  assert.equal(attempt.attributes['posthorn.delivery.id'], `dlv_${task.key}`);
  assert.equal(attempt.attributes['http.response.status_code'], 503);
  assert.equal(attempt.status.code, SpanStatusCode.ERROR);
});
