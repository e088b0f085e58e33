// A sender, a receiver and a name server wired together for tests of the sender: all real, all on loopback.
import type { TestContext } from 'node:test';
import { systemClock } from '../../src/clock.ts';
import { headerOf } from '../../src/core/header-lines.ts';
import { parseNetworks } from '../../src/engine/guard.ts';
import { createHttpSender, type HttpSender, type HttpSenderOptions } from '../../src/engine/http-sender.ts';
import { createResolver, type Resolver } from '../../src/engine/resolver.ts';
import type { SendRequest, SendResult } from '../../src/engine/sender.ts';
import { type NameServer, startNameServer } from './name-server.ts';
import { type Receiver, type ReceiverOptions, startReceiver } from './receiver.ts';

export interface Sending {
  sender: HttpSender;
  receiver: Receiver;
  names: NameServer;
  resolver: Resolver;
  /** Sends to the receiver's `/hook` unless told otherwise, within 5 s. */
  readonly send: (request: Partial<SendRequest> & { path?: string }) => Promise<SendResult>;
}

/** Loopback is allowed unless `options` say otherwise. Everything is closed when the test ends. */
export async function setUpSender(
  context: TestContext,
  options: Partial<HttpSenderOptions> = {},
  receiverOptions: ReceiverOptions = {},
): Promise<Sending> {
  const [receiver, names] = await Promise.all([startReceiver(receiverOptions), startNameServer()]);
  const clock = options.clock ?? systemClock;
  const resolver = createResolver({ clock, servers: [names.address], hostsFile: '/nonexistent' });
  const allowed = parseNetworks('127.0.0.0/8,::1/128');
  const sender = createHttpSender({ clock, resolver, allowed, own: null, ...options });
  context.after(async () => {
    await sender.close();
    resolver.close();
    await Promise.all([receiver.close(), names.close()]);
  });
  return {
    sender,
    receiver,
    names,
    resolver,
    send: ({ path = '/hook', ...request }) =>
      new Promise((resolve) => {
        const url = receiver.url + path;
        const body = Buffer.from('{"a":1}');
        sender.send({ url, headers: 'x-test: one\r\n', body, timeoutMs: 5_000, ...request }, resolve);
      }),
  };
}

/** The first value of a header of an answer. */
export const answerHeader = (result: SendResult, name: string): string | null =>
  headerOf(result.response?.headers ?? '', name);
