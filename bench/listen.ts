// Opens one loopback port per server and tells the parent process which ports they are.
import { once } from 'node:events';
import type { Server } from 'node:net';
import type { Listening } from './messages.ts';

/** Where the hostile endpoint number `at` listens: silent ones have an address of loopback each. */
export const hostileAddress = (hostile: 'mixed' | 'silent', at: number): string =>
  hostile === 'silent' ? `127.1.${at >> 8}.${at & 255}` : '127.0.0.1';

/** Listens with every server on a free port of its address and reports the ports, in order, to the parent. */
export async function listenOnPorts(
  servers: Server[],
  addressOf: (at: number) => string = () => '127.0.0.1',
): Promise<void> {
  const ports = await Promise.all(
    servers.map(async (server, at) => {
      server.listen(0, addressOf(at), 1024);
      await once(server, 'listening');
      const address = server.address();
      if (address === null || typeof address === 'string') throw new Error('not listening on a port');
      return address.port;
    }),
  );
  const listening: Listening = { kind: 'listening', ports };
  process.send?.(listening);
}
