// The engine's own thread: puts the dispatcher, the sender and the keeper together and obeys engine.ts.
import { parentPort, workerData } from 'node:worker_threads';
import { systemClock as clock } from '../clock.ts';
import { attachDeliveryStore } from '../store/open.ts';
import { createLog, logAttempt, startAttemptSpan } from '../telemetry.ts';
import { Vault } from '../vault.ts';
import { type BirthMessage, readBirths } from './births.ts';
import { Dispatcher, taskOf } from './dispatcher.ts';
import { EndpointBook } from './endpoints.ts';
import type { EngineData, EngineMessage, EngineReply } from './engine.ts';
import { type OwnAddress, parseNetworks } from './guard.ts';
import { createHttpSender } from './http-sender.ts';
import { createKeeper } from './keeper.ts';
import { Replayer } from './replayer.ts';
import { createResolver } from './resolver.ts';
import { Tally } from './tally.ts';

const port = parentPort;
if (port === null) throw new Error('engine-thread.ts runs as a worker thread');
const { settings, secretKeys, userAgent, store: attachment, waiting } = workerData as EngineData;
const answer = (reply: EngineReply) => port.postMessage(reply);

const log = createLog(settings.logLevel, clock);
const tally = new Tally();
const store = await attachDeliveryStore(attachment);
const vault = new Vault(secretKeys.map((key) => Buffer.from(key)));
const own: OwnAddress = { host: settings.host, port: settings.port };
const resolver = createResolver({
  clock,
  ...(settings.dnsServers.length > 0 && { servers: settings.dnsServers }),
});
const sender = createHttpSender({ clock, resolver, allowed: parseNetworks(settings.allowedNetworks), own });

const onFault = (error: unknown, doing: string) => {
  tally.countFault(doing);
  log.logger.error({ err: error, doing }, 'fault');
};
const waitingCount = new Int32Array(waiting);
const dispatcher = new Dispatcher({
  store,
  sender,
  clock,
  endpoints: new EndpointBook(store, clock, (sealed, place) => vault.open(sealed, place)),
  settings: {
    scheduleMs: settings.retryScheduleMs,
    timeoutMs: settings.timeoutMs,
    signatureHeader: settings.signatureHeader,
    userAgent,
    laneConcurrency: settings.laneConcurrency,
    maxSockets: settings.maxSockets,
    breakerFailures: settings.breakerFailures,
  },
  startSpan: startAttemptSpan,
  onAttempt(news) {
    const now = clock.now();
    tally.countAttempt(news, now);
    logAttempt(log, news, now);
  },
  onWaiting: (count) => Atomics.store(waitingCount, 0, count),
  onFault,
});
const keeper = createKeeper(store, clock, settings.retentionMs, onFault);
const replayer = new Replayer({
  store,
  clock,
  retentionMs: settings.retentionMs,
  room: (tag, replayId, ahead) => dispatcher.roomForReplay(tag, replayId, ahead),
  take: (claimed, when) => dispatcher.take(taskOf(claimed), when),
  noteDue: (at) => dispatcher.noteDue(at),
  onDone: ({ id, tag }) => log.logger.info({ replay: id, lane: tag }, 'replayed'),
  onFault,
});

const early: BirthMessage[] = [];
let started = false;

function bear(message: BirthMessage): void {
  for (const task of readBirths(message)) dispatcher.take(task);
}

function start(at: OwnAddress): void {
  Object.assign(own, at);
  started = true;
  for (const message of early.splice(0)) bear(message);
  if (settings.roles.deliver) {
    dispatcher.start();
    replayer.start();
  }
  keeper.start();
}

async function stop(timeoutMs: number): Promise<void> {
  // What its last step makes goes back with the rest.
  await replayer.stop();
  const ended = await dispatcher.stop(timeoutMs);
  await keeper.stop();
  // Requests that nobody waits for any more end with the process.
  if (ended) await sender.close();
  resolver.close();
  await store.close();
  log.flush();
  answer({ kind: 'stopped' });
  port?.close();
}

port.on('message', (message: EngineMessage | BirthMessage) => {
  switch (message.kind) {
    case 'births':
      if (started) bear(message);
      else early.push(message);
      return;
    // A node that does not send leaves the work to those that do, whatever it has made or changed.
    case 'behind':
      if (settings.roles.deliver) dispatcher.noteBehind(message.tag);
      return;
    case 'change':
      if (!settings.roles.deliver) return;
      dispatcher.noteChange(message.tag);
      replayer.wake();
      return;
    case 'start':
      start(message.own);
      return;
    case 'figures': {
      const { attempts, faults, duration, latency } = tally;
      answer({ kind: 'figures', figures: { ...dispatcher.figures, attempts, faults, duration, latency } });
      return;
    }
    case 'write figures':
      void store
        .writeFigures()
        .catch((error: unknown) => onFault(error, 'writing figures'))
        .finally(() => answer({ kind: 'written' }));
      return;
    case 'stop':
      // A store that is away must not keep the process: what was not given back is taken up at the next start.
      void stop(message.timeoutMs).catch((error: unknown) => {
        onFault(error, 'stopping');
        log.flush();
        answer({ kind: 'stopped' });
        port?.close();
      });
      return;
  }
});
