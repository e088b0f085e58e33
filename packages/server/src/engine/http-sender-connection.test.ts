// What becomes of a connection after an answer, and that connections sharing memory never mix, on real sockets.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type Socket } from 'node:net';
import { type TestContext, test } from 'node:test';
import { createServer as createTlsServer, TLSSocket } from 'node:tls';
import { Worker } from 'node:worker_threads';
import { type Certificate, makeCertificates } from '../../test/support/certificates.ts';
import type { Behaviour } from '../../test/support/receiver.ts';
import { setUpSender } from '../../test/support/sending.ts';
import { systemClock } from '../clock.ts';
import { readHeaderLines } from '../core/header-lines.ts';
import type { SendResult } from './sender.ts';

/** Answers with these bytes and nothing else. */
const raw =
  (text: string): Behaviour =>
  (_request, response) => {
    response.socket?.write(text);
  };

const lastAnswers: [name: string, text: string][] = [
  ['with bytes after it', 'HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nokHTTP/1.1 500 x\r\n\r\n'],
  ['of HTTP/1.0', 'HTTP/1.0 200 OK\r\ncontent-length: 2\r\n\r\nok'],
  [
    'that keeps alive for a second',
    'HTTP/1.1 200 OK\r\ncontent-length: 2\r\nkeep-alive: timeout=1\r\n\r\nok',
  ],
];

for (const [name, text] of lastAnswers) {
  test(`an answer ${name} is the last on its connection`, async (context) => {
    const { receiver, send, sender } = await setUpSender(context);
    receiver.script(raw(text));
    for (let count = 1; count <= 2; count += 1) {
      const result = await send({});
      assert.ok(result.kind === 'answered');
      assert.equal(Buffer.from(result.response.body).toString(), 'ok');
      assert.equal(receiver.connections, count);
      assert.deepEqual(sender.counts, { busy: 0, idle: 0, origins: 0 });
    }
  });
}

test('an answer without a length ends with its connection', async (context) => {
  const { receiver, send, sender } = await setUpSender(context);
  receiver.script((_request, response) => {
    response.socket?.write('HTTP/1.1 200 OK\r\n\r\nto the', () => response.socket?.end(' end'));
  });
  const result = await send({});
  assert.ok(result.kind === 'answered');
  assert.equal(Buffer.from(result.response.body).toString(), 'to the end');
  assert.equal(result.response.truncated, false);
  assert.equal(sender.counts.idle, 0);
});

test('a connection on which bytes come unasked is closed and not used again', async (context) => {
  const { receiver, send, sender } = await setUpSender(context);
  const sockets: Socket[] = [];
  receiver.script((_request, response) => {
    if (response.socket) sockets.push(response.socket);
    response.end('mine');
  });
  await send({});
  const [socket] = sockets;
  assert.ok(socket);
  const closed = once(socket, 'close');
  socket.write('HTTP/1.1 408 Request Timeout\r\ncontent-length: 0\r\n\r\n');
  await closed;
  assert.deepEqual(sender.counts, { busy: 0, idle: 0, origins: 0 });
  const result = await send({});
  assert.ok(result.kind === 'answered');
  assert.equal(result.response.status, 200);
  assert.equal(receiver.connections, 2);
});

test('a connection that lay idle longer than the receiver keeps it is not used, and is closed', async (context) => {
  let aheadMs = 0;
  const timers: (() => void)[] = [];
  const clock = {
    ...systemClock,
    monotonic: () => systemClock.monotonic() + aheadMs,
    after: (delayMs: number, run: () => void) => {
      // The pool looks once a second; the deadlines look more often and are left to themselves.
      if (delayMs !== 1_000) return systemClock.after(delayMs, run);
      timers.push(run);
      return { cancel: () => undefined };
    },
  };
  const { receiver, send, sender } = await setUpSender(context, { clock }, { keepAliveTimeoutMs: 20_000 });
  await send({});
  aheadMs = 15_000;
  await send({});
  assert.equal(receiver.connections, 1);
  aheadMs += 19_500;
  await send({});
  assert.equal(receiver.connections, 2);
  assert.equal(sender.counts.idle, 1);
  timers.shift()?.();
  assert.equal(sender.counts.idle, 1);
  aheadMs += 19_500;
  timers.shift()?.();
  assert.deepEqual(sender.counts, { busy: 0, idle: 0, origins: 0 });
  assert.equal(timers.length, 0);
});

/** Answers each connection at once and takes nothing of what it is sent. */
async function startHasty(
  context: TestContext,
  tls?: Certificate,
): Promise<{ url: string; connections(): number }> {
  let connections = 0;
  const answer = (socket: Socket) => {
    connections += 1;
    socket.on('error', () => socket.destroy());
    socket.pause().write('HTTP/1.1 413 Too Large\r\ncontent-length: 0\r\n\r\n');
    context.after(() => socket.destroy());
  };
  const server = tls === undefined ? createServer(answer) : createTlsServer({ ...tls }, answer);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  context.after(() => server.close());
  const address = server.address();
  const port = address !== null && typeof address === 'object' ? address.port : 0;
  return {
    url: `${tls === undefined ? 'http' : 'https'}://127.0.0.1:${port}/`,
    connections: () => connections,
  };
}

test('an answer that comes before the request was taken in leaves no connection behind', async (context) => {
  const { send, sender } = await setUpSender(context);
  const { url } = await startHasty(context);
  const result = await send({ url, body: Buffer.alloc(32 * 1024 * 1024) });
  assert.ok(result.kind === 'answered');
  assert.equal(result.response.status, 413);
  assert.deepEqual(sender.counts, { busy: 0, idle: 0, origins: 0 });
});

test('the same over TLS: the next request goes on a connection of its own', async (context) => {
  const { ca, good } = await makeCertificates();
  const { send } = await setUpSender(context, { ca: [ca] });
  const { url, connections } = await startHasty(context, good);
  assert.equal((await send({ url, body: Buffer.alloc(32 * 1024 * 1024) })).kind, 'answered');
  assert.equal((await send({ url })).kind, 'answered');
  assert.equal(connections(), 2);
});

test('a TLS connection carries one request after another, however soon they are answered', async (context) => {
  const { ca, good } = await makeCertificates();
  const { sender } = await setUpSender(context, { ca: [ca] });
  // On a thread of its own, so that it answers while this one is busy.
  const receiver = new Worker(
    `const { parentPort, workerData } = require('node:worker_threads');
     const server = require('node:https').createServer(workerData, (request, response) => request.resume().on('end', () => response.end()));
     let connections = 0;
     server.on('secureConnection', () => { connections += 1; });
     server.listen(0, '127.0.0.1', () => parentPort.postMessage(server.address().port));
     parentPort.on('message', () => parentPort.postMessage(connections));`,
    { eval: true, workerData: { key: good.key, cert: good.cert } },
  );
  context.after(() => receiver.terminate());
  const [port] = (await once(receiver, 'message')) as [number];
  for (let sent = 0; sent < 5; sent++) {
    const result = await new Promise<SendResult>((resolve) => {
      setImmediate(() => {
        const url = `https://127.0.0.1:${port}/`;
        sender.send({ url, headers: '', body: Buffer.from('{}'), timeoutMs: 5_000 }, resolve);
        // The answer is there before this thread hears that the request was written.
        const busyUntil = performance.now() + 20;
        while (performance.now() < busyUntil);
      });
    });
    assert.equal(result.kind, 'answered');
  }
  receiver.postMessage('count');
  assert.deepEqual(await once(receiver, 'message'), [1]);
});

for (const secure of [false, true]) {
  test(`100 answers in pieces at once come back each to its request${secure ? ', over TLS' : ''}`, async (context) => {
    const { ca, good } = await makeCertificates();
    const { receiver, send } = await setUpSender(context, { ca: [ca] }, secure ? { tls: good } : {});
    const waiting: (() => void)[] = [];
    receiver.script((request, response) => {
      const third = Math.ceil(request.body.length / 3);
      response.setHeader('x-path', request.url);
      waiting.push(() => {
        response.write(request.body.subarray(0, third));
        setImmediate(() => {
          response.write(request.body.subarray(third, 2 * third));
          setImmediate(() => response.end(request.body.subarray(2 * third)));
        });
      });
      if (waiting.length === 100) for (const answer of waiting.splice(0)) answer();
    });
    for (let round = 0; round < 2; round += 1) {
      const all = Array.from({ length: 100 }, async (_, index) => {
        const body = Buffer.alloc(1 + index * 611, `${round},${index};`);
        const result = await send({ path: `/${index}`, body });
        assert.ok(result.kind === 'answered', JSON.stringify(result));
        assert.ok(body.equals(result.response.body), `${index}`);
        assert.equal(readHeaderLines(result.response.headers)[1], `/${index}`);
      });
      await Promise.all(all);
    }
    assert.ok(receiver.requests.every((one) => one.body.length === 1 + Number(one.url.slice(1)) * 611));
    assert.equal(receiver.connections, 100);
  });
}

test('a second connection to the same place resumes the TLS session', async (context) => {
  const { ca, good } = await makeCertificates();
  const { receiver, send } = await setUpSender(context, { ca: [ca] }, { tls: good });
  const resumed: boolean[] = [];
  receiver.script((_request, response) => {
    resumed.push(response.socket instanceof TLSSocket && response.socket.isSessionReused());
    response.writeHead(200, { connection: 'close' }).end();
  });
  for (let count = 0; count < 3; count += 1) assert.equal((await send({})).kind, 'answered');
  assert.deepEqual(resumed, [false, true, true]);
});

test('a paused process sends nothing on a connection that opened meanwhile', async (context) => {
  let pausedMs = 0;
  const clock = { ...systemClock, monotonic: () => systemClock.monotonic() + pausedMs };
  const { receiver, send } = await setUpSender(context, { clock });
  const late = send({ timeoutMs: 5_000 });
  pausedMs = 12_000;
  const result = await late;
  assert.ok(result.kind === 'broken');
  assert.equal(result.cause, 'timeout_connecting');
  const lost = await send({ mayGo: () => false });
  assert.ok(lost.kind === 'broken');
  assert.ok((await send({ mayGo: () => true })).kind === 'answered');
  assert.equal(receiver.requests.length, 1);
});
