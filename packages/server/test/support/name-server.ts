// A real name server on a loopback UDP port, whose answers a test sets and whose queries it can await.
import { createSocket, type RemoteInfo } from 'node:dgram';
import { once } from 'node:events';
import * as packet from 'dns-packet';
import { AUTHORITATIVE_ANSWER } from 'dns-packet';

export interface Query {
  name: string;
  type: string;
}

/** Addresses of a name, or how its lookup goes wrong. A family left out has no records. */
export type NameAnswer = { A?: string[]; AAAA?: string[]; ttl?: number } | 'nxdomain' | 'servfail' | 'silent';

export interface NameServer {
  /** `address:port`, as resolvers take it. */
  readonly address: string;
  readonly queries: readonly Query[];
  /** Sets the answer for `name`; a function is asked with the type and how often that was asked before. */
  set(name: string, answer: NameAnswer | ((type: string, before: number) => NameAnswer)): void;
  /** Resolves as soon as `isEnough` holds for the queries that arrived. */
  waitFor(isEnough: (queries: readonly Query[]) => boolean): Promise<void>;
  close(): Promise<void>;
}

const NXDOMAIN = 3;
const SERVFAIL = 2;

/** Starts it; a name that was not set does not exist. */
export async function startNameServer(): Promise<NameServer> {
  const socket = createSocket('udp4');
  const answers = new Map<string, NameAnswer | ((type: string, before: number) => NameAnswer)>();
  const queries: Query[] = [];
  const waiting = new Set<() => void>();

  function reply(query: packet.DecodedPacket, asked: packet.Question, to: RemoteInfo): void {
    const name = asked.name.toLowerCase();
    const before = queries.filter((one) => one.name === name && one.type === asked.type).length;
    queries.push({ name, type: asked.type });
    const set = answers.get(name) ?? 'nxdomain';
    const answer = typeof set === 'function' ? set(asked.type, before) : set;
    if (answer !== 'silent') {
      const code = answer === 'nxdomain' ? NXDOMAIN : answer === 'servfail' ? SERVFAIL : 0;
      socket.send(
        packet.encode({
          type: 'response',
          id: query.id ?? 0,
          flags: AUTHORITATIVE_ANSWER | code,
          questions: [asked],
          answers: typeof answer === 'string' ? [] : records(asked, answer),
        }),
        to.port,
        to.address,
      );
    }
    for (const look of waiting) look();
  }

  socket.on('message', (message, from) => {
    const query = packet.decode(message);
    const asked = query.questions?.[0];
    if (asked) reply(query, asked, from);
  });
  socket.bind(0, '127.0.0.1');
  await once(socket, 'listening');

  return {
    address: `127.0.0.1:${socket.address().port}`,
    queries,
    set: (name, answer) => void answers.set(name.toLowerCase(), answer),
    waitFor: (isEnough) =>
      new Promise((resolve) => {
        const look = (): void => {
          if (!isEnough(queries)) return;
          waiting.delete(look);
          resolve();
        };
        waiting.add(look);
        look();
      }),
    close: () => new Promise((resolve) => socket.close(() => resolve())),
  };
}

function records(asked: packet.Question, answer: Exclude<NameAnswer, string>): packet.Answer[] {
  const { type, name } = asked;
  if (type !== 'A' && type !== 'AAAA') return [];
  return (answer[type] ?? []).map((data) => ({ type, name, ttl: answer.ttl ?? 60, data }));
}
