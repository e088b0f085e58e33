import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { test } from 'node:test';
import { TestBed } from './bed.ts';
import { prepareRequest } from './event.ts';
import { targets } from './targets.ts';
import { Worker } from './worker.ts';

test('a phase against the relay accounts for every delivery of every endpoint', async () => {
  const bed = await TestBed.open(3);
  const relay = await targets.find(({ store }) => store === 'relay')?.start(bed.endpoints, tmpdir(), null);
  assert.ok(relay);
  const closed = await bed.run(relay, { events: 300, ratePerSecond: null, fsyncDir: null });
  const open = await bed.run(relay, { events: 50, ratePerSecond: 500, fsyncDir: tmpdir() });
  await relay.stop();
  const account = await bed.close();
  assert.deepEqual(account('relay'), { lost: 0, duplicates: 0, invented: 0 });
  assert.ok(closed.deliveriesPerSecond > closed.acceptedPerSecond);
  assert.ok(open.acceptedPerSecond <= 520, `the open loop ran at ${open.acceptedPerSecond}/s`);
  assert.ok(open.latency.p50Ms > 0 && open.latency.p50Ms <= open.latency.maxMs);
  assert.ok(open.fsync.p99Ms > 0);
});

test('the sink tells what came twice, what nobody published and what is missing', async () => {
  const [sink, ports] = await Worker.serve('sink.ts', ['1']);
  const port = ports[0] ?? 0;
  const request = prepareRequest('/hook', port, '');
  const socket = connect(port, '127.0.0.1');
  const deliver = async (seq: number): Promise<void> => {
    request.mark(seq, 1);
    socket.write(request.bytes);
    await once(socket, 'data');
  };

  sink.send({ kind: 'expect', firstSeq: 10, count: 2 });
  await sink.next('expecting');
  for (const seq of [10, 10, 99, 11]) await deliver(seq);
  assert.equal((await sink.next('drained')).delivered, 2);

  sink.send({ kind: 'expect', firstSeq: 12, count: 2 });
  await sink.next('expecting');
  // The second one is late and belongs to the phase before.
  for (const seq of [12, 11]) await deliver(seq);
  sink.send({ kind: 'tally' });
  const { phases, invented } = await sink.next('tally');
  socket.destroy();
  await sink.stop();
  assert.deepEqual(phases, [
    { lost: 0, duplicates: 2 },
    { lost: 1, duplicates: 0 },
  ]);
  assert.equal(invented, 1);
});
