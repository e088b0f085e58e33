// Webhooks with nothing but failures: announced after a day, disabled after `POSTHORN_DISABLE_AFTER`. Every node looks; the
// change, its audit record and its event are one commit that only one of them can make.
import type { Timer } from '../clock.ts';
import {
  announceFailing,
  disableFailing,
  type FailingRow,
  findFailing,
  markDisabled,
} from '../store/control/failing.ts';
import type { Actor } from './actor.ts';
import { hostOf, showFailure } from './health.ts';
import { type Platform, tryCommit } from './platform.ts';

const day = 86_400_000;
const longestLookMs = 60_000;
const shortestLookMs = 250;
/** How many webhooks are looked at in one go. */
const atOnce = 100;

/** Who does what Posthorn does by itself, in audit records. */
const posthorn: Actor = {
  tokenId: 'posthorn',
  name: 'Posthorn',
  role: 'OPERATOR',
  teamId: null,
  userId: null,
  address: null,
};

/** After how long of nothing but failures a webhook is announced: a day, or a fifth of what disables it. */
const warnAfter = (disableAfterMs: number): number => Math.min(day, disableAfterMs / 5);

function payloadOf(platform: Platform, row: FailingRow) {
  return {
    webhook: { id: row.id, host: hostOf(row.url) },
    failingSince: row.failing_since,
    lastFailure: showFailure(row, platform.settings.timeoutMs),
  };
}

async function warn(platform: Platform, row: FailingRow): Promise<boolean> {
  const { store, clock, settings } = platform;
  const at = clock.now();
  const outcome = await tryCommit(platform, posthorn, {
    teamId: row.team_id,
    action: 'webhook.failing',
    subject: row.id,
    detail: { failingSince: row.failing_since },
    steps: [announceFailing(store, row, at)],
    events: [
      {
        type: 'posthorn.webhook.failing',
        projectId: null,
        payload: { ...payloadOf(platform, row), disabledFrom: row.failing_since + settings.disableAfterMs },
      },
    ],
    at,
  });
  return outcome.kind === 'done';
}

async function disable(platform: Platform, row: FailingRow): Promise<boolean> {
  const { store, clock } = platform;
  const at = clock.now();
  const outcome = await tryCommit(platform, posthorn, {
    teamId: row.team_id,
    action: 'webhook.disabled',
    subject: row.id,
    detail: { failingSince: row.failing_since },
    steps: [disableFailing(store, row, at), markDisabled(store, row, at)],
    events: [{ type: 'posthorn.webhook.disabled', projectId: null, payload: payloadOf(platform, row) }],
    touched: [row.tag],
    at,
  });
  return outcome.kind === 'done';
}

/**
 * Looks once. Somebody else who did the same, changed the webhook, or a success meanwhile, leaves it as it is.
 * @returns how many webhooks were announced, and how many were disabled
 */
export async function lookForFailing(platform: Platform): Promise<{ warned: number; disabled: number }> {
  const { disableAfterMs } = platform.settings;
  const done = { warned: 0, disabled: 0 };
  if (disableAfterMs === 0) return done;
  await platform.settleFigures();
  const found = await findFailing(platform.store, {
    warnAfterMs: warnAfter(disableAfterMs),
    disableAfterMs,
    limit: atOnce,
  });
  for (const row of found) {
    const failedForMs = (row.last_failure_at ?? 0) - row.failing_since;
    if (failedForMs >= disableAfterMs) done.disabled += (await disable(platform, row)) ? 1 : 0;
    else done.warned += (await warn(platform, row)) ? 1 : 0;
  }
  return done;
}

/**
 * Begins to look, at least once a minute.
 * @returns ends it after what is under way
 */
export function startFailingWatch(
  platform: Platform,
  onFault: (error: unknown) => void,
): () => Promise<void> {
  const { clock, settings } = platform;
  const everyMs = Math.max(shortestLookMs, Math.min(longestLookMs, settings.disableAfterMs / 20));
  let timer: Timer = { cancel() {} };
  let running = Promise.resolve();
  let stopped = false;
  const look = async () => {
    try {
      await lookForFailing(platform);
    } catch (error) {
      onFault(error);
    }
    if (!stopped) wait();
  };
  const wait = () => {
    timer = clock.after(everyMs, () => {
      running = look();
    });
  };
  if (settings.disableAfterMs > 0) wait();
  return () => {
    stopped = true;
    timer.cancel();
    return running;
  };
}
