// What throughput and latency share: every target started, warmed up and measured in turn, round after round,
// so that a machine that grows slower meanwhile does so for all of them.
import { mkdtempSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { makeCertificates } from '../../packages/server/test/support/certificates.ts';
import { type Account, type Measurement, type Order, TestBed, type TlsFiles } from '../bed.ts';
import { readPeakRssMb } from '../proc.ts';
import type { Store } from '../results.ts';
import type { Running, Target } from '../targets.ts';

/** Where a scenario keeps data and profiles, and which targets it measures how often. */
export interface Setting {
  dir: string;
  profileDir: string | null;
  targets: Target[];
  rounds: number;
}

export interface Measured {
  store: Store;
  rounds: Measurement[];
  peakRssMb: number;
  account: Account;
}

/** An authority and a server's certificate for 127.0.0.1, as files in `dir`. */
async function makeTlsFiles(dir: string): Promise<TlsFiles> {
  const { ca, good } = await makeCertificates();
  const write = (name: string, text: string): string => {
    const path = join(dir, name);
    writeFileSync(path, text);
    return path;
  };
  return { key: write('key.pem', good.key), cert: write('cert.pem', good.cert), ca: write('ca.pem', ca) };
}

/** Measures `order` at every target with `fanout` endpoints, after publishing `warmUp` events as fast as can be. */
export async function measureInTurn(
  setting: Setting,
  fanout: number,
  warmUp: number,
  order: Omit<Order, 'fsyncDir'> & { probeFsync: boolean },
  isSecure = false,
): Promise<Measured[]> {
  const dir = mkdtempSync(join(setting.dir, 'run-'));
  const tls = isSecure ? await makeTlsFiles(dir) : null;
  const trust: Record<string, string> = tls === null ? {} : { NODE_EXTRA_CA_CERTS: tls.ca };
  const bed = await TestBed.open(fanout, tls);
  const running: Running[] = [];
  const rounds = new Map<Store, Measurement[]>();
  const peaks = new Map<Store, number>();
  try {
    for (const target of setting.targets) {
      running.push(await target.start(bed.endpoints, dir, setting.profileDir, trust));
    }
    for (const target of running) {
      await bed.run(target, { events: warmUp, ratePerSecond: null, fsyncDir: null });
    }
    for (let round = 0; round < setting.rounds; round++) {
      for (const target of running) {
        const measurement = await bed.run(target, { ...order, fsyncDir: order.probeFsync ? dir : null });
        rounds.set(target.store, [...(rounds.get(target.store) ?? []), measurement]);
      }
    }
    for (const target of running) peaks.set(target.store, readPeakRssMb(target.pid));
  } finally {
    for (const target of running) await target.stop();
  }
  const account = await bed.close();
  return running.map(({ store }) => ({
    store,
    rounds: rounds.get(store) ?? [],
    peakRssMb: peaks.get(store) ?? Number.NaN,
    account: account(store),
  }));
}
