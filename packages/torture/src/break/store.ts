// The Store with one of its promises taken away.
import { systemClock as clock } from '../../../server/src/clock.ts';
import * as real from '../../../server/src/store/open.ts';
import type { AcceptGroup, DeliveryStore } from '../../../server/src/store/store.ts';
import { breakVariable } from './protections.ts';
import { replaceCalls } from './seam.ts';

export * from '../../../server/src/store/open.ts';

const broken = process.env[breakVariable];
/** How long an event that was answered already is on its way to the store. */
const lateMs = 60;
const neverMs = 10 * 365 * 86_400_000;

export async function openStore(options: real.StoreOptions): Promise<real.OpenedStore> {
  const store = await real.openStore(options);
  return broken === 'acknowledge-before-commit' ? acknowledgeEarly(store) : store;
}

export async function attachDeliveryStore(attachment: real.StoreAttachment): Promise<DeliveryStore> {
  const store = await real.attachDeliveryStore(attachment);
  if (broken === 'no-fencing') return trustNobody(store);
  if (broken === 'forget-replays') return forgetReplays(store);
  if (broken === 'old-secrets') return keepSecrets(store);
  return broken === 'forget-retries' ? forgetRetries(store) : store;
}

/** Answers as if everything were stored, and stores it a little later. */
function acknowledgeEarly(store: real.OpenedStore): real.OpenedStore {
  const storeLate = async (group: AcceptGroup): Promise<void> => {
    const outcome = await store.accept(group);
    if (outcome.kind !== 'stored') return;
    // Nobody will be told of what was leased at birth, so it goes back.
    const leases = group.events.flatMap(({ uid, body }, index) => {
      const accepted = outcome.events[index];
      const births = accepted?.kind === 'stored' ? accepted.births : [];
      return births.flatMap(({ tag, leased }) =>
        leased ? [{ key: uid + tag, tag, bytes: body.length }] : [],
      );
    });
    await store.release(leases, clock.now());
  };
  return replaceCalls(store, {
    accept(group) {
      clock.after(lateMs, () => void storeLate(group).catch(() => {}));
      return Promise.resolve({
        kind: 'stored',
        events: group.events.map(() => ({ kind: 'stored', births: [] })),
      });
    },
  });
}

/** Believes in its lease for ever: what it held it sends, whoever has taken it over. */
function trustNobody(store: DeliveryStore): DeliveryStore {
  return replaceCalls(store, {
    leaseEndsAt: Number.POSITIVE_INFINITY,
    listen: ({ onWork }) => store.listen({ onWork, onLeaseLost() {} }),
  });
}

/** A retry is written down for a day that nobody will see. */
function forgetRetries(store: DeliveryStore): DeliveryStore {
  return replaceCalls(store, {
    finish(record, done) {
      const { next } = record;
      store.finish(
        next.kind === 'retry' ? { ...record, next: { ...next, at: next.at + neverMs } } : record,
        done,
      );
    },
  });
}

/** One in ten deliveries that a replay has made is forgotten by the one who is to send it. */
function forgetReplays(store: DeliveryStore): DeliveryStore {
  let count = 0;
  return replaceCalls(store, {
    async makeReplayed(request) {
      const step = await store.makeReplayed(request);
      if (step.kind !== 'made') return step;
      return { ...step, claimed: step.claimed.filter(() => ++count % 10 !== 0) };
    },
  });
}

/** Goes on with the secret before a rotation where that has an overlap, and never with the new one. */
function keepSecrets(store: DeliveryStore): DeliveryStore {
  return replaceCalls(store, {
    async endpoints(tags) {
      return (await store.endpoints(tags)).map((row) => ({
        ...row,
        secretSealed: row.oldSecretSealed ?? row.secretSealed,
        oldSecretSealed: null,
      }));
    },
  });
}
