// A sender that sends nothing: requests wait until the test answers them, or are answered by a rule.
import type { Cause } from '../../src/core/cause.ts';
import { headerOf } from '../../src/core/header-lines.ts';
import type { Sender, SendRequest, SendResult } from '../../src/engine/sender.ts';

/** A status, an answer with headers, or no answer at all. */
export type Reply = number | { status: number; headers: string } | { cause: Cause };

/** One request under way. */
export interface Sent {
  request: SendRequest;
  /** The event's id that it carries. */
  id: string;
  answer(reply: Reply): void;
}

export class FakeSender implements Sender {
  /** Every request so far, in order. */
  readonly sent: Sent[] = [];
  /** Those that have not been answered. */
  readonly underWay = new Set<Sent>();
  /** The most that were ever under way at once. */
  peak = 0;
  /** Answers requests as soon as they come; null leaves them to the test. */
  rule: ((sent: Sent) => Reply | null) | null = null;
  closed = false;

  send(request: SendRequest, done: (result: SendResult) => void): void {
    const id = headerOf(request.headers, 'webhook-id') ?? '';
    const sent: Sent = {
      request,
      id,
      answer: (reply) => {
        if (!this.underWay.delete(sent)) throw new Error(`The request of ${id} was answered before.`);
        done(resultOf(reply));
      },
    };
    this.sent.push(sent);
    this.underWay.add(sent);
    this.peak = Math.max(this.peak, this.underWay.size);
    const reply = this.rule?.(sent) ?? null;
    if (reply !== null) queueMicrotask(() => sent.answer(reply));
  }

  close(): Promise<void> {
    this.closed = true;
    return Promise.resolve();
  }

  /** Requests to `url`, answered or not. */
  to(url: string): Sent[] {
    return this.sent.filter(({ request }) => request.url === url);
  }

  /** Answers everything that is under way now. */
  answerAll(reply: Reply): void {
    const now = [...this.underWay];
    for (const sent of now) sent.answer(reply);
  }
}

function resultOf(reply: Reply): SendResult {
  const timings = { dnsMs: null, connectMs: null, tlsMs: null, firstByteMs: 4, totalMs: 5 };
  if (typeof reply === 'object' && 'cause' in reply) {
    return { kind: 'broken', cause: reply.cause, message: 'as the test wants it', response: null, timings };
  }
  const { status, headers } = typeof reply === 'number' ? { status: reply, headers: '' } : reply;
  return {
    kind: 'answered',
    response: { status, headers, body: new Uint8Array(0), truncated: false },
    timings,
  };
}
