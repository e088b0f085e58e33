// The Sender with its promise of bytes taken away: one request in twenty has another body than was signed.
import * as real from '../../../server/src/engine/http-sender.ts';
import type { SendRequest } from '../../../server/src/engine/sender.ts';
import { replaceCalls } from './seam.ts';

export * from '../../../server/src/engine/http-sender.ts';

const everyNth = 20;

export function createHttpSender(options: real.HttpSenderOptions): real.HttpSender {
  const sender = real.createHttpSender(options);
  let count = 0;
  return replaceCalls(sender, {
    send(request, done) {
      count += 1;
      sender.send(count % everyNth === 0 ? spoil(request) : request, done);
    },
  });
}

function spoil(request: SendRequest): SendRequest {
  const body = Buffer.from(request.body);
  const at = body.length - 2;
  body[at] = (body[at] ?? 0) ^ 1;
  return { ...request, body };
}
