// Opens one loopback port per server and tells the parent process which ports they are.
import { once } from 'node:events';
import type { Server } from 'node:net';
import type { Listening } from './messages.ts';

/** Listens with every server on a free port of 127.0.0.1 and reports the ports, in order, to the parent. */
export async function listenOnPorts(servers: Server[]): Promise<void> {
  const ports = await Promise.all(
    servers.map(async (server) => {
      server.listen(0, '127.0.0.1', 1024);
      await once(server, 'listening');
      const address = server.address();
      if (address === null || typeof address === 'string') throw new Error('not listening on a port');
      return address.port;
    }),
  );
  const listening: Listening = { kind: 'listening', ports };
  process.send?.(listening);
}
