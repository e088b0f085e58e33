// The bare relay: what a webhook sender costs when it promises nothing. node:http in, 202 at once, undici
// `dispatch` out. No validation, no signature, no storage, no retry.
// FROZEN: it is the yardstick that every figure of this folder is divided by. A faster or slower relay would
// change the ratios of all earlier results without a line of Posthorn having changed. Do not tune it.
import { createServer } from 'node:http';
import { Agent, type Dispatcher } from 'undici';

const inFlightPerEndpoint = Number(process.argv[2]);
const endpoints = process.argv.slice(3).map((url) => new URL(url));

const agent = new Agent({ connections: inFlightPerEndpoint, pipelining: 1 });
const headers = { 'content-type': 'application/json' };

let errors = 0;
const handler: Dispatcher.DispatchHandler = {
  onRequestStart: () => {},
  onResponseStart: () => {},
  onResponseData: () => {},
  onResponseEnd: () => {},
  onResponseError: (_controller, error) => {
    if (errors++ === 0) process.stderr.write(`relay: ${error.message}\n`);
  },
};

const server = createServer((request, response) => {
  const chunks: Buffer[] = [];
  request.on('data', (chunk: Buffer) => chunks.push(chunk));
  request.on('end', () => {
    response.writeHead(202, { 'content-length': 0 }).end();
    const body = Buffer.concat(chunks);
    for (const { origin, pathname } of endpoints) {
      agent.dispatch({ origin, path: pathname, method: 'POST', headers, body }, handler);
    }
  });
});

server.listen(0, '127.0.0.1', () => {
  const address = server.address();
  process.send?.({ kind: 'listening', ports: [typeof address === 'object' ? address?.port : 0] });
});
process.once('SIGTERM', () => process.exit(0));
process.once('disconnect', () => process.exit(0));
