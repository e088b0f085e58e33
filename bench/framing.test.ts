import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { MessageStream } from './framing.ts';

const message = fc
  .record({
    body: fc.string({ maxLength: 40 }),
    header: fc.string({ unit: fc.constantFrom('a', 'b'), maxLength: 9 }),
  })
  .map(({ body, header }) => {
    const bytes = Buffer.from(body);
    const head = `POST / HTTP/1.1\r\nx-h: ${header}\r\nContent-Length: ${bytes.length}\r\n\r\n`;
    return { whole: Buffer.concat([Buffer.from(head), bytes]), body };
  });

function collectBodies(): { bodies: string[]; stream: MessageStream } {
  const bodies: string[] = [];
  const stream = new MessageStream((bytes, _startAt, { bodyAt, endAt }) => {
    bodies.push(bytes.toString('utf8', bodyAt, endAt));
  });
  return { bodies, stream };
}

test('however a stream of messages is cut into chunks, the same messages come out', () => {
  const cuts = fc.array(fc.nat({ max: 600 }), { maxLength: 12 });
  fc.assert(
    fc.property(fc.array(message, { maxLength: 6 }), cuts, (messages, at) => {
      const bytes = Buffer.concat(messages.map(({ whole }) => whole));
      const { bodies, stream } = collectBodies();
      const bounds = [0, ...at.filter((cut) => cut < bytes.length).toSorted((left, right) => left - right)];
      // Every chunk arrives in the same memory, as it does where all connections share one buffer.
      const shared = Buffer.alloc(bytes.length);
      bounds.forEach((from, index) => {
        const length = bytes.copy(shared, 0, from, bounds[index + 1] ?? bytes.length);
        stream.push(shared.subarray(0, length));
      });
      assert.deepEqual(
        bodies,
        messages.map(({ body }) => body),
      );
    }),
  );
});

test('a message as long as the one before it, with another length in its head, is framed by its own', () => {
  const { bodies, stream } = collectBodies();
  stream.push(Buffer.from('HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nabcd'));
  stream.push(Buffer.from('HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nabcd'));
  assert.deepEqual(bodies, ['abcd', 'ab']);
});

test('a chunked message is refused instead of being misread', () => {
  const { stream } = collectBodies();
  const chunked = Buffer.from('HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nab\r\n0\r\n\r\n');
  assert.throws(() => stream.push(chunked), /chunked/);
});
