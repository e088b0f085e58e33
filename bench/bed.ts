// One generator and one sink, and the phases that are run on them: publish so many events at a target, wait
// until the sink has them all at every endpoint, and say what that took.

import { setTimeout as delay } from 'node:timers/promises';
import { type FsyncProbe, startFsyncProbe } from './fsync-probe.ts';
import type { Percentiles } from './messages.ts';
import { percentilesOf } from './percentiles.ts';
import { readCpuUs, readDiskWrittenBytes, readFamilyCpuUs } from './proc.ts';
import type { Store } from './results.ts';
import type { Running } from './targets.ts';
import { Worker } from './worker.ts';

const connections = 64;

/** After the last delivery the server still writes results down: that work is counted, and ends in this time. */
const settleMs = 300;

/** Paths of PEM files: a server's key and certificate, and the authority that senders must trust. */
export interface TlsFiles {
  key: string;
  cert: string;
  ca: string;
}

export interface Order {
  events: number;
  /** Events per second in an open loop; null for as many as the connections carry. */
  ratePerSecond: number | null;
  /** Where to measure the disk's own fsync meanwhile; null for not at all. */
  fsyncDir: string | null;
}

/** What one phase took. A figure that the machine does not give is NaN. */
export interface Measurement {
  deliveriesPerSecond: number;
  acceptedPerSecond: number;
  /** From the intended time of sending to the receipt. */
  latency: Percentiles;
  fsync: Percentiles;
  cpuMicrosPerDelivery: number;
  generatorSinkCpuShare: number;
  /** To the disk, by the server and its database, and whoever else has it: the generator and the sink write nothing. */
  bytesWrittenPerDelivery: number;
  /** Of the store; on SQLite each is one fsync. */
  commitsPerEvent: number;
}

/** What became of one store's deliveries over all its phases. */
export interface Account {
  lost: number;
  duplicates: number;
  invented: number;
}

export class TestBed {
  readonly endpoints: string[];
  readonly #generator: Worker;
  readonly #sink: Worker;
  readonly #phaseStores: Store[] = [];
  #nextSeq = 1;

  private constructor(generator: Worker, sink: Worker, endpoints: string[]) {
    this.#generator = generator;
    this.#sink = sink;
    this.endpoints = endpoints;
  }

  /** Starts a generator, and a sink with `fanout` endpoints, which speak TLS where there are files for it. */
  static async open(fanout: number, tls: TlsFiles | null = null): Promise<TestBed> {
    const files = tls === null ? [] : [tls.key, tls.cert];
    const [sink, ports] = await Worker.serve('sink.ts', [String(fanout), ...files]);
    const scheme = tls === null ? 'http' : 'https';
    const endpoints = ports.map((port) => `${scheme}://127.0.0.1:${port}/hook`);
    return new TestBed(Worker.start('generator.ts'), sink, endpoints);
  }

  /** Publishes the events and waits for their deliveries. Throws when the target refuses an event. */
  async run(target: Running, order: Order): Promise<Measurement> {
    const firstSeq = this.#nextSeq;
    this.#nextSeq += order.events;
    this.#phaseStores.push(target.store);
    this.#sink.send({ kind: 'expect', firstSeq, count: order.events });
    await this.#sink.next('expecting');

    const probe: FsyncProbe | null = order.fsyncDir === null ? null : startFsyncProbe(order.fsyncDir);
    const commitsBefore = await target.commits?.();
    const writtenBefore = writtenFor(target);
    const cpuBeforeUs = cpuOf(target);
    this.#generator.send({
      kind: 'publish',
      port: target.port,
      token: target.token,
      paths: ['/v1/events'],
      connections,
      firstSeq,
      count: order.events,
      ratePerSecond: order.ratePerSecond,
    });
    const published = await this.#generator.next('published');
    if (published.refused > 0) {
      throw new Error(`${target.store} refused ${published.refused} events: ${published.firstRefusal}`);
    }
    const drained = await this.#sink.next('drained');
    const fsync = percentilesOf(probe?.stop() ?? []);
    await delay(settleMs);
    const cpuUs = cpuOf(target) - cpuBeforeUs;
    const written = writtenFor(target) - writtenBefore;
    const commits = (await target.commits?.()) ?? Number.NaN;
    const harnessCpuUs = published.cpuUs + drained.cpuUs;
    return {
      deliveriesPerSecond: drained.delivered / seconds(published.firstSentUs, drained.lastReceivedUs),
      acceptedPerSecond: order.events / seconds(published.firstSentUs, published.lastAnsweredUs),
      latency: drained.latency,
      fsync,
      cpuMicrosPerDelivery: cpuUs / drained.delivered,
      generatorSinkCpuShare: harnessCpuUs / (harnessCpuUs + cpuUs),
      bytesWrittenPerDelivery: written / drained.delivered,
      commitsPerEvent: (commits - (commitsBefore ?? Number.NaN)) / order.events,
    };
  }

  /** Stops both processes. What came that no phase published is charged to every store: it cannot be told whose. */
  async close(): Promise<(store: Store) => Account> {
    this.#sink.send({ kind: 'tally' });
    const { phases, invented } = await this.#sink.next('tally');
    await Promise.all([this.#sink.stop(), this.#generator.stop()]);
    return (store) => {
      const account: Account = { lost: 0, duplicates: 0, invented };
      phases.forEach((phase, at) => {
        if (this.#phaseStores[at] !== store) return;
        account.lost += phase.lost;
        account.duplicates += phase.duplicates;
      });
      return account;
    };
  }
}

/** Processor time of a target and its database server so far, in microseconds. */
const cpuOf = ({ pid, databasePid }: Running): number =>
  readCpuUs(pid) + (databasePid === null ? 0 : readFamilyCpuUs(databasePid));

/** Bytes that a target's disk has been given so far. */
const writtenFor = ({ dataPath }: Running): number =>
  dataPath === null ? 0 : readDiskWrittenBytes(dataPath);

function seconds(fromUs: number, toUs: number): number {
  return (toUs - fromUs) / 1_000_000;
}
