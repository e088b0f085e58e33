// A TCP proxy on loopback whose traffic a test can stop (connections stay open and nothing passes, as on a network that
// swallows packets), delay, or break.
import { connect, createServer, type Socket } from 'node:net';

export interface TcpProxy {
  port: number;
  /** From now on nothing passes, in either direction, until `resume`. */
  stop(): void;
  resume(): void;
  /** From now on connections lead to another port; those that are there break. */
  leadTo(targetPort: number): void;
  /** From now on everything takes so long to pass, ms; 0 passes at once. */
  delay(ms: number): void;
  /** Breaks every connection with a reset; new ones are taken. */
  reset(): void;
  close(): Promise<void>;
}

/** @param alter changes what the target sends */
export async function startTcpProxy(
  targetPort: number,
  alter = (bytes: Buffer): Buffer => bytes,
): Promise<TcpProxy> {
  const sockets = new Set<Socket>();
  let stopped = false;
  let target = targetPort;
  let delayMs = 0;
  const server = createServer((near) => {
    const far = connect(target, '127.0.0.1');
    for (const [from, to] of [
      [near, far],
      [far, near],
    ] as const) {
      sockets.add(from);
      from.on('data', (bytes) => {
        const passed = from === far ? alter(bytes) : bytes;
        if (delayMs === 0) to.write(passed);
        else setTimeout(() => to.destroyed || to.write(passed), delayMs);
      });
      from.on('error', () => to.destroy());
      from.on('close', () => {
        sockets.delete(from);
        to.destroy();
      });
      if (stopped) from.pause();
    }
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const bound = server.address();
  return {
    port: typeof bound === 'object' && bound !== null ? bound.port : 0,
    stop() {
      stopped = true;
      for (const socket of sockets) socket.pause();
    },
    resume() {
      stopped = false;
      for (const socket of sockets) socket.resume();
    },
    leadTo(port) {
      target = port;
      for (const socket of sockets) socket.destroy();
    },
    delay(ms) {
      delayMs = ms;
    },
    reset() {
      for (const socket of sockets) socket.resetAndDestroy();
    },
    async close() {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
