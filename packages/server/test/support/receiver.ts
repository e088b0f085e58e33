// A scriptable receiver on a loopback port: it keeps every request as it came, answers as told (well or badly),
// and lets a test wait for what arrives instead of sleeping.
import { once } from 'node:events';
import { createServer, type IncomingHttpHeaders, type IncomingMessage, type ServerResponse } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { Socket } from 'node:net';
import type { Certificate } from './certificates.ts';

export interface ReceivedRequest {
  method: string;
  /** Path and query. */
  url: string;
  headers: IncomingHttpHeaders;
  /** As sent: name, value, name, value … */
  rawHeaders: string[];
  body: Buffer;
  /** Epoch ms, when the whole body had arrived. */
  receivedAt: number;
  /** Counts connections, from 1: equal numbers came over the same one. */
  connection: number;
}

/** 200 without a body where nothing else is said. */
export interface Answer {
  status?: number;
  headers?: Record<string, string | string[]>;
  body?: string | Uint8Array;
  delayMs?: number;
}

/**
 * `hang` never answers; `reset` tears the connection down with RST, `close` with FIN; `drip` sends a byte every
 * 10 ms for ever; `endless` sends as fast as it is read; `badChunk` breaks chunked encoding; `closeMidBody`
 * promises 1,000 bytes and sends 10; `garbage` answers in another protocol.
 */
export type Misbehaviour =
  | 'hang'
  | 'reset'
  | 'close'
  | 'drip'
  | 'endless'
  | 'badChunk'
  | 'closeMidBody'
  | 'garbage';

/** What to do with a request; a function does as it likes with the response. */
export type Behaviour =
  | Answer
  | Misbehaviour
  | ((request: ReceivedRequest, response: ServerResponse) => void);

export interface ReceiverOptions {
  /** Speaks TLS with this certificate. */
  tls?: Certificate;
  /** 127.0.0.1 if left out. */
  host?: string;
  port?: number;
  /** How long an idle connection is kept, ms; 5,000 if left out. */
  keepAliveTimeoutMs?: number;
}

export interface Receiver {
  /** `http(s)://127.0.0.1:port`, without a path. */
  readonly url: string;
  readonly port: number;
  /** In the order in which their bodies were complete. */
  readonly requests: readonly ReceivedRequest[];
  /** Connections accepted so far, those without a request included. */
  readonly connections: number;
  /** Sets what the next requests get, in order; the last one holds for all that follow. */
  script(...behaviours: Behaviour[]): void;
  /** The next request that fits and was not returned by `next` before, arrived already or not. */
  next(fits?: (request: ReceivedRequest) => boolean, timeoutMs?: number): Promise<ReceivedRequest>;
  /** Resolves with all requests when there are `count` or more. */
  waitFor(count: number, timeoutMs?: number): Promise<readonly ReceivedRequest[]>;
  /** Breaks every connection and stops listening. */
  close(): Promise<void>;
}

const PATIENCE_MS = 10_000;

/** Starts it; until `script` says otherwise it answers 200 with an empty body. */
export async function startReceiver(options: ReceiverOptions = {}): Promise<Receiver> {
  const { tls, host = '127.0.0.1', port = 0, keepAliveTimeoutMs = 5_000 } = options;
  const requests: ReceivedRequest[] = [];
  const returned = new Set<ReceivedRequest>();
  const numbers = new WeakMap<Socket, number>();
  const sockets = new Set<Socket>();
  const watchers = new Set<() => void>();
  let connections = 0;
  let behaviours: Behaviour[] = [];

  function take(message: IncomingMessage, response: ServerResponse): void {
    const chunks: Buffer[] = [];
    message.on('data', (chunk: Buffer) => chunks.push(chunk));
    message.on('end', () => {
      const request = {
        method: message.method ?? '',
        url: message.url ?? '',
        headers: message.headers,
        rawHeaders: message.rawHeaders,
        body: Buffer.concat(chunks),
        receivedAt: Date.now(),
        connection: numbers.get(message.socket) ?? 0,
      };
      requests.push(request);
      const behaviour = (behaviours.length > 1 ? behaviours.shift() : behaviours[0]) ?? {};
      behave(behaviour, request, response);
      for (const look of watchers) look();
    });
    // A sender that gives up mid-body is some tests' very subject.
    message.on('error', () => chunks.splice(0));
  }

  const server = tls ? createTlsServer(tls, take) : createServer(take);
  server.keepAliveTimeout = keepAliveTimeoutMs;
  server.on(tls ? 'secureConnection' : 'connection', (socket: Socket) => {
    connections += 1;
    numbers.set(socket, connections);
  });
  server.on('connection', (socket: Socket) => {
    sockets.add(socket);
    socket.on('error', () => socket.destroy());
    socket.on('close', () => sockets.delete(socket));
  });
  server.listen(port, host);
  await once(server, 'listening');
  const address = server.address();
  const bound = address !== null && typeof address === 'object' ? address.port : port;

  /** Resolves with the first result of `find` that is not null, looked for at every request. */
  function watch<T>(find: () => T | null, awaited: string, timeoutMs: number): Promise<T> {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        watchers.delete(look);
        reject(new Error(`waited ${timeoutMs} ms for ${awaited}; ${requests.length} requests came`));
      }, timeoutMs);
      const look = (): void => {
        const found = find();
        if (found === null) return;
        clearTimeout(timer);
        watchers.delete(look);
        resolve(found);
      };
      watchers.add(look);
      look();
    });
  }

  return {
    url: `${tls ? 'https' : 'http'}://${host.includes(':') ? `[${host}]` : host}:${bound}`,
    port: bound,
    requests,
    get connections() {
      return connections;
    },
    script(...next) {
      behaviours = next;
    },
    next(fits = () => true, timeoutMs = PATIENCE_MS) {
      const find = (): ReceivedRequest | null => {
        const found = requests.find((one) => !returned.has(one) && fits(one));
        if (found) returned.add(found);
        return found ?? null;
      };
      return watch(find, 'a request that fits', timeoutMs);
    },
    waitFor(count, timeoutMs = PATIENCE_MS) {
      return watch(() => (requests.length >= count ? requests : null), `${count} requests`, timeoutMs);
    },
    async close() {
      const closed = new Promise((resolve) => server.close(resolve));
      for (const socket of sockets) socket.destroy();
      await closed;
    },
  };
}

function behave(behaviour: Behaviour, request: ReceivedRequest, response: ServerResponse): void {
  if (typeof behaviour === 'function') behaviour(request, response);
  else if (typeof behaviour === 'string') misbehave(behaviour, response);
  else if (behaviour.delayMs) setTimeout(() => answer(behaviour, response), behaviour.delayMs);
  else answer(behaviour, response);
}

function answer({ status = 200, headers, body = '' }: Answer, response: ServerResponse): void {
  response.writeHead(status, headers);
  response.end(body);
}

function misbehave(behaviour: Misbehaviour, response: ServerResponse): void {
  const { socket } = response;
  switch (behaviour) {
    case 'hang':
      return;
    case 'reset':
      socket?.resetAndDestroy();
      return;
    case 'close':
      socket?.end();
      return;
    case 'drip':
      response.writeHead(200);
      drip(response);
      return;
    case 'endless':
      response.writeHead(200);
      pour(response);
      return;
    case 'badChunk':
      socket?.write('HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\nnonsense\r\n');
      return;
    case 'closeMidBody':
      socket?.end('HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n0123456789');
      return;
    case 'garbage':
      socket?.end('SSH-2.0-OpenSSH_9.9\r\n');
      return;
  }
}

function drip(response: ServerResponse): void {
  if (response.destroyed) return;
  response.write('.');
  setTimeout(() => drip(response), 10).unref();
}

function pour(response: ServerResponse): void {
  const chunk = Buffer.alloc(16_384, 'x');
  const more = (): void => {
    while (!response.destroyed && response.write(chunk));
    if (!response.destroyed) response.once('drain', more);
  };
  more();
}
