// HTTP as the tester speaks it: one request, and its answer or none. It never repeats a request by itself.
import { Agent, request as plain } from 'node:http';
import { request as secure } from 'node:https';

export interface Reply {
  status: number;
  /** The answer's JSON; its text where it is none. */
  body: unknown;
}

export interface Request {
  method: string;
  url: string;
  headers?: Record<string, string>;
  body?: unknown;
  timeoutMs: number;
}

const agent = new Agent({ keepAlive: true, maxSockets: 128 });

/** Null: no whole answer came within the time. */
export function ask({ method, url, headers = {}, body, timeoutMs }: Request): Promise<Reply | null> {
  const payload = body === undefined ? null : JSON.stringify(body);
  return new Promise((resolve) => {
    const isSecure = url.startsWith('https:');
    const sent = (isSecure ? secure : plain)(
      url,
      {
        method,
        ...(isSecure ? {} : { agent }),
        headers: {
          ...headers,
          ...(payload !== null && {
            'content-type': 'application/json',
            'content-length': Buffer.byteLength(payload),
          }),
        },
      },
      (response) => {
        const chunks: Buffer[] = [];
        response.on('data', (chunk: Buffer) => chunks.push(chunk));
        response.on('error', () => end(null));
        response.on('close', () => {
          if (!response.complete) return end(null);
          end({ status: response.statusCode ?? 0, body: read(Buffer.concat(chunks).toString('utf8')) });
        });
      },
    );
    const timer = setTimeout(() => {
      sent.destroy();
      end(null);
    }, timeoutMs);
    const end = (reply: Reply | null) => {
      clearTimeout(timer);
      resolve(reply);
    };
    sent.on('error', () => end(null));
    sent.end(payload ?? undefined);
  });
}

function read(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}
