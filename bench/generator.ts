// Publishes events over raw keep-alive sockets, one event per request and one request at a time on each
// connection. Closed loop: the next one leaves when the answer came. Open loop: events leave at the times of a
// fixed schedule, and an event that had to wait for a free connection keeps its intended time.
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { nowUs, type PreparedRequest, prepareRequest } from './event.ts';
import { MessageStream } from './framing.ts';
import type { PublishOrder, PublishReport } from './messages.ts';

interface Connection {
  socket: Socket;
  requests: PreparedRequest[];
}

/** All connections read into the same bytes: an answer is looked at before the next one is read. */
const received = Buffer.allocUnsafe(65_536);

async function publish(order: PublishOrder): Promise<PublishReport> {
  const idle: Connection[] = [];
  const intervalUs = order.ratePerSecond === null ? 0 : 1_000_000 / order.ratePerSecond;
  let sent = 0;
  let answered = 0;
  let refused = 0;
  let firstRefusal: string | null = null;
  const { promise: allAnswered, resolve, reject } = Promise.withResolvers<void>();

  const sendDue = (): void => {
    const now = nowUs();
    while (idle.length > 0 && sent < order.count) {
      const intendedUs = order.ratePerSecond === null ? now : Math.round(firstSentUs + sent * intervalUs);
      if (intendedUs > now) return;
      // In turn, so that none stays idle until the server closes it.
      const connection = idle.shift();
      const request = connection?.requests[sent % order.paths.length];
      if (connection === undefined || request === undefined) throw new Error('no connection to send on');
      request.mark(order.firstSeq + sent, intendedUs);
      connection.socket.write(request.bytes);
      sent++;
    }
  };

  const open = async (): Promise<Connection> => {
    const stream = new MessageStream((bytes, startAt, frame) => {
      if (!isAccepted(bytes, startAt)) {
        refused++;
        firstRefusal ??= bytes.toString('latin1', startAt, frame.endAt);
      }
      answered++;
      idle.push(connection);
    });
    const receive = (length: number): boolean => {
      stream.push(received.subarray(0, length));
      if (answered === order.count) resolve();
      else sendDue();
      return true;
    };
    const socket = connect({
      port: order.port,
      host: '127.0.0.1',
      noDelay: true,
      onread: { buffer: received, callback: receive },
    });
    const connection = {
      socket,
      requests: order.paths.map((path) => prepareRequest(path, order.port, order.token)),
    };
    await once(socket, 'connect');
    socket.on('error', reject);
    socket.on('close', () => reject(new Error('the server closed a publishing connection')));
    return connection;
  };

  const connections = await Promise.all(Array.from({ length: order.connections }, open));
  idle.push(...connections);
  const cpuAtStart = process.cpuUsage();
  const firstSentUs = nowUs();
  const ticker = order.ratePerSecond === null ? undefined : setInterval(sendDue, 1);
  sendDue();
  try {
    await allAnswered;
  } finally {
    clearInterval(ticker);
    for (const { socket } of connections) socket.removeAllListeners().destroy();
  }
  const cpu = process.cpuUsage(cpuAtStart);
  return {
    kind: 'published',
    firstSentUs,
    lastAnsweredUs: nowUs(),
    refused,
    firstRefusal,
    cpuUs: cpu.user + cpu.system,
  };
}

/** Whether the answer that starts at `startAt` has the status 202. */
function isAccepted(bytes: Buffer, startAt: number): boolean {
  return bytes[startAt + 9] === 0x32 && bytes[startAt + 10] === 0x30 && bytes[startAt + 11] === 0x32;
}

process.on('message', (order: PublishOrder) => {
  publish(order).then(
    (report) => process.send?.(report),
    (error: unknown) => {
      process.stderr.write(`generator: ${String(error)}\n`);
      process.exit(1);
    },
  );
});
process.once('disconnect', () => process.exit(0));
