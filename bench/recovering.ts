// Endpoints that are down, answering 503, until they are told to recover; from then on each answers 200 after a few ms, and
// keeps account of what came, how many requests it had at once and how many within any ten seconds.
import { createServer, type Socket } from 'node:net';
import { nowUs, readMark } from './event.ts';
import { MessageStream } from './framing.ts';
import { listenOnPorts } from './listen.ts';
import type { RecoveryOrder, RecoveryReport } from './messages.ts';

/** How long an answer takes, so that requests at once can be told from requests in turn. */
const answerMs = 5;
/** With no new delivery for so long, what is missing counts as lost. Longer than a breaker's longest rest. */
const stallMs = 90_000;
const rateWindowS = 10;

const [endpointsText = '1', firstSeqText = '0', countText = '0'] = process.argv.slice(2);
const endpoints = Number(endpointsText);
const firstSeq = Number(firstSeqText);
const count = Number(countText);

const down = Buffer.from('HTTP/1.1 503 Service Unavailable\r\ncontent-length: 0\r\n\r\n');
const ok = Buffer.from('HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n');

const received = new Uint8Array(count);
const atOnce = new Uint16Array(endpoints);
const mostAtOnce = new Uint16Array(endpoints);
/** Requests of each endpoint by second since the recovery. */
const bySecond: number[][] = Array.from({ length: endpoints }, () => []);
let recoveredUs: number | null = null;
let firstUs = 0;
let lastUs = 0;
let delivered = 0;
let duplicates = 0;
let invented = 0;
let refused = 0;
let reported = false;

function record(endpoint: number, bytes: Buffer, from: number, to: number): void {
  const now = nowUs();
  if (recoveredUs === null) return;
  const second = Math.floor((now - recoveredUs) / 1_000_000);
  const seconds = bySecond[endpoint] as number[];
  seconds[second] = (seconds[second] ?? 0) + 1;
  const mark = readMark(bytes, from, to);
  const index = (mark?.seq ?? -1) - firstSeq;
  // Events go to the endpoints in turn.
  if (index < 0 || index >= count || index % endpoints !== endpoint) {
    invented += 1;
    return;
  }
  if (received[index] === 1) {
    duplicates += 1;
    return;
  }
  received[index] = 1;
  if (delivered === 0) firstUs = now;
  lastUs = now;
  delivered += 1;
  if (delivered === count) report();
}

/** The most requests of an endpoint within any ten seconds. */
function mostInWindow(seconds: number[]): number {
  let most = 0;
  for (let from = 0; from < seconds.length; from++) {
    let sum = 0;
    for (let second = from; second < from + rateWindowS; second++) sum += seconds[second] ?? 0;
    most = Math.max(most, sum);
  }
  return most;
}

function report(): void {
  if (reported) return;
  reported = true;
  const answer: RecoveryReport = {
    kind: 'recovered',
    delivered,
    duplicates,
    invented,
    refused,
    firstUs,
    lastUs,
    mostAtOnce: [...mostAtOnce],
    mostPerSecond: bySecond.map((seconds) => mostInWindow(seconds) / rateWindowS),
  };
  process.send?.(answer);
}

function serve(endpoint: number, socket: Socket): void {
  socket.setNoDelay(true);
  socket.on('error', () => socket.destroy());
  const stream = new MessageStream((bytes, _startAt, frame) => {
    if (recoveredUs === null) {
      refused += 1;
      socket.write(down);
      return;
    }
    record(endpoint, bytes, frame.bodyAt, frame.endAt);
    atOnce[endpoint] = (atOnce[endpoint] as number) + 1;
    mostAtOnce[endpoint] = Math.max(mostAtOnce[endpoint] as number, atOnce[endpoint]);
    setTimeout(() => {
      atOnce[endpoint] = (atOnce[endpoint] as number) - 1;
      socket.write(ok);
    }, answerMs);
  });
  socket.on('data', (chunk) => stream.push(chunk));
}

process.on('message', (order: RecoveryOrder) => {
  if (order.kind !== 'recover') return;
  recoveredUs = nowUs();
  let seen = 0;
  let seenAtUs = nowUs();
  const watch = setInterval(() => {
    if (delivered > seen) {
      seen = delivered;
      seenAtUs = nowUs();
    } else if (nowUs() - seenAtUs > stallMs * 1000) report();
    if (reported) clearInterval(watch);
  }, 1_000);
});
process.once('disconnect', () => process.exit(0));
await listenOnPorts(
  Array.from({ length: endpoints }, (_, endpoint) => createServer((socket) => serve(endpoint, socket))),
);
