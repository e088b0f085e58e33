// Endpoints that treat their sender badly, one port each. `mixed`: four kinds in turn, which never answer, reset the
// connection, send their answer a byte at a time, or never stop sending it. `silent`: none ever answers.
import { createServer, type Socket } from 'node:net';
import { hostileAddress, listenOnPorts } from './listen.ts';

type Behaviour = (socket: Socket) => void;

const dripMs = 500;
const flood = Buffer.alloc(16_384, 'x');

const hang: Behaviour = () => {};

const reset: Behaviour = (socket) => {
  socket.resetAndDestroy();
};

const drip: Behaviour = (socket) => {
  socket.write('HTTP/1.1 200 OK\r\ncontent-length: 1000000\r\n\r\n');
  const timer = setInterval(() => socket.write('x'), dripMs);
  socket.once('close', () => clearInterval(timer));
};

const neverStop: Behaviour = (socket) => {
  socket.write('HTTP/1.1 200 OK\r\n\r\n');
  const pour = (): void => {
    let room = true;
    while (room && socket.writable) room = socket.write(flood);
  };
  socket.on('drain', pour);
  pour();
};

const kind = process.argv[2] === 'silent' ? 'silent' : 'mixed';
const behaviours = kind === 'silent' ? [hang] : [hang, reset, drip, neverStop];

function serve(behaviour: Behaviour, socket: Socket): void {
  // The sender hangs up on such an endpoint in whatever way it likes.
  socket.on('error', () => socket.destroy());
  socket.once('data', () => behaviour(socket));
}

process.once('disconnect', () => process.exit(0));
await listenOnPorts(
  Array.from({ length: Number(process.argv[3]) }, (_, endpoint) => {
    const behaviour = behaviours[endpoint % behaviours.length] ?? hang;
    return createServer((socket) => serve(behaviour, socket));
  }),
  (at) => hostileAddress(kind, at),
);
