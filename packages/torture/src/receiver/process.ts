// The receiver, a process of its own that no fault touches: it has what it got on the disk before it answers.
import { createHash } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { DurableLines } from '../lines.ts';
import { behave, chooseWay, meaning } from './behaviour.ts';
import { type FromReceiver, type ReceiverSettings, readHeaders, type ToReceiver } from './messages.ts';

const say = (message: FromReceiver) => process.send?.(message);
let rough = true;
let count = 0;
const times = new Map<string, number>();

function serve({ seed, path, timeoutMs }: ReceiverSettings): void {
  const lines = new DurableLines(path);

  async function take(request: IncomingMessage, response: ServerResponse, body: Buffer): Promise<void> {
    const n = count++;
    const hook = (request.url ?? '').split('/').at(-1) ?? '';
    const read = readHeaders(request.headers);
    const key = `${hook} ${read.event}`;
    const came = (times.get(key) ?? 0) + 1;
    times.set(key, came);
    const way = chooseWay(seed, hook, read.event, came, rough);
    const sha256 = createHash('sha256').update(body).digest('base64url');
    const ended = (how: 'answered' | 'broken') => void lines.append({ kind: 'end', n, at: Date.now(), how });
    response.once('close', () => ended(response.writableFinished ? 'answered' : 'broken'));
    await lines.append({
      kind: 'got',
      n,
      at: Date.now(),
      hook,
      ...read,
      sha256,
      marker: readMarker(body),
      plan: way,
      ...meaning[way],
    });
    behave(way, response, timeoutMs);
  }

  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => void take(request, response, Buffer.concat(chunks)));
    // A sender that is killed in the middle of a request has sent nothing.
    request.on('error', () => chunks.splice(0));
  });
  server.on('connection', (socket) => socket.on('error', () => socket.destroy()));
  server.keepAliveTimeout = 30_000;
  server.listen(0, '127.0.0.1', () => {
    const bound = server.address();
    say({ kind: 'started', port: typeof bound === 'object' && bound !== null ? bound.port : 0 });
  });

  process.on('message', (message: ToReceiver) => {
    if (message.kind === 'rough') {
      rough = message.rough;
      say({ kind: 'heard' });
    }
    if (message.kind !== 'stop') return;
    server.closeAllConnections();
    server.close(() => {
      // The last `end` lines are written by what the closing of connections has just called.
      setImmediate(() => void lines.close().then(() => say({ kind: 'stopped' })));
    });
  });
}

/** The number of its own that a published event has in its payload, wherever a sender puts that. */
function readMarker(body: Buffer): number | null {
  const found = /"n":\s*(\d+)/.exec(body.toString('utf8'));
  return found === null ? null : Number(found[1]);
}

process.once('message', (message: ToReceiver) => {
  if (message.kind === 'start') serve(message.settings);
});
// Without the tester there is nobody to receive for.
process.on('disconnect', () => process.exit());
