// Receives deliveries on raw sockets, one port per endpoint, answers 200 at once, and keeps account: which
// event came to which endpoint, when, how often. It learns from the main process what to expect, and tells it
// when all of that has come.
import { readFileSync } from 'node:fs';
import { createServer, type Server, Socket } from 'node:net';
import { createServer as createTlsServer } from 'node:tls';
import { nowUs, readMark } from './event.ts';
import { MessageStream } from './framing.ts';
import { listenOnPorts } from './listen.ts';
import type { DrainReport, Expecting, SinkOrder, TallyReport } from './messages.ts';
import { percentilesOf } from './percentiles.ts';

/** With no new delivery for so long, what is missing counts as lost. Longer than a few retries may take. */
const stallMs = 30_000;

const endpoints = Number(process.argv[2]);
/** Where key and certificate are, if the endpoints speak TLS. */
const [keyPath, certPath] = process.argv.slice(3);
const ok = Buffer.from('HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n');

interface Phase {
  firstSeq: number;
  count: number;
  /** How often each event came to each endpoint. */
  received: Uint8Array;
  latenciesMs: Float64Array;
  delivered: number;
  duplicates: number;
  lastReceivedUs: number;
  cpuAtStart: NodeJS.CpuUsage;
  finished: boolean;
}

const phases: Phase[] = [];
let invented = 0;

function begin(firstSeq: number, count: number): void {
  const deliveries = count * endpoints;
  const phase: Phase = {
    firstSeq,
    count,
    received: new Uint8Array(deliveries),
    latenciesMs: new Float64Array(deliveries),
    delivered: 0,
    duplicates: 0,
    lastReceivedUs: 0,
    cpuAtStart: process.cpuUsage(),
    finished: false,
  };
  phases.push(phase);
  const expecting: Expecting = { kind: 'expecting' };
  process.send?.(expecting);
  let seen = 0;
  let seenAtUs = nowUs();
  const watch = setInterval(() => {
    if (phase.delivered > seen) {
      seen = phase.delivered;
      seenAtUs = nowUs();
    } else if (nowUs() - seenAtUs > stallMs * 1000) {
      finish(phase);
    }
    if (phase.finished) clearInterval(watch);
  }, 1000);
}

function record(endpoint: number, bytes: Buffer, from: number, to: number): void {
  const now = nowUs();
  const mark = readMark(bytes, from, to);
  const phase = mark === null ? undefined : phases.findLast((candidate) => candidate.firstSeq <= mark.seq);
  if (mark === null || phase === undefined || mark.seq >= phase.firstSeq + phase.count) {
    invented++;
    return;
  }
  const index = (mark.seq - phase.firstSeq) * endpoints + endpoint;
  const times = phase.received[index] ?? 0;
  phase.received[index] = Math.min(times + 1, 255);
  if (times > 0) {
    phase.duplicates++;
    return;
  }
  phase.latenciesMs[phase.delivered] = (now - mark.intendedUs) / 1000;
  phase.lastReceivedUs = now;
  phase.delivered++;
  if (phase.delivered === phase.received.length) finish(phase);
}

function finish(phase: Phase): void {
  if (phase.finished) return;
  phase.finished = true;
  const cpu = process.cpuUsage(phase.cpuAtStart);
  const report: DrainReport = {
    kind: 'drained',
    delivered: phase.delivered,
    lastReceivedUs: phase.lastReceivedUs,
    latency: percentilesOf(phase.latenciesMs.subarray(0, phase.delivered)),
    cpuUs: cpu.user + cpu.system,
  };
  process.send?.(report);
}

function tally(): TallyReport {
  return {
    kind: 'tally',
    phases: phases.map(({ received, delivered, duplicates }) => ({
      lost: received.length - delivered,
      duplicates,
    })),
    invented,
  };
}

function serve(endpoint: number, accepted: Socket, isSecure: boolean): void {
  const stream = new MessageStream((bytes, _startAt, frame) => {
    record(endpoint, bytes, frame.bodyAt, frame.endAt);
    socket.write(ok);
  });
  const take = (chunk: Buffer): void => stream.push(chunk);
  const socket = isSecure ? accepted.on('data', take) : readShared(accepted, take);
  socket.setNoDelay(true);
  // A sender that stops resets its connections: what that loses shows in the account.
  socket.on('error', () => socket.destroy());
}

const received = Buffer.allocUnsafe(65_536);

/**
 * Reads all connections into the same bytes, which saves a seventh of the sink's processor time. Only sockets
 * that connect are offered that (`onread`), so the accepted one's handle goes to a socket of our own making.
 */
function readShared(accepted: Socket, take: (chunk: Buffer) => void): Socket {
  const handle: unknown = Reflect.get(accepted, '_handle');
  Reflect.set(accepted, '_handle', null);
  const callback = (length: number): boolean => {
    take(received.subarray(0, length));
    return true;
  };
  const options: object = { handle, onread: { buffer: received, callback } };
  return new Socket(options);
}

process.on('message', (order: SinkOrder) => {
  if (order.kind === 'expect') begin(order.firstSeq, order.count);
  else process.send?.(tally());
});
process.once('disconnect', () => process.exit(0));

function open(endpoint: number): Server {
  if (keyPath === undefined || certPath === undefined) {
    return createServer({ pauseOnConnect: true }, (socket) => serve(endpoint, socket, false));
  }
  const files = { key: readFileSync(keyPath), cert: readFileSync(certPath) };
  return createTlsServer(files, (socket) => serve(endpoint, socket, true));
}

await listenOnPorts(Array.from({ length: endpoints }, (_, endpoint) => open(endpoint)));
