// How an endpoint is, judged from its figures: its state, how long its backlog takes to drain, and the one sentence of
// advice that helps most.

/** What is known of attempts in a window of time. */
export interface Attempts {
  attempts: number;
  attemptsFailed: number;
}

export interface HealthFacts {
  now: number;
  enabled: boolean;
  /** When Posthorn itself disabled it, null if it did not (all times are epoch ms). */
  disabledByItselfAt: number | null;
  /** The last 5 minutes, hour and 24 hours, shortest first. */
  windows: readonly Attempts[];
  breaker: 'closed' | 'open' | 'probing';
  /** The first failure after the last success. */
  failingSince: number | null;
  /** How long nothing but failures leads to disabling; 0 never does. */
  disableAfterMs: number;
  backlog: number;
  drainEtaMs: number | null;
  oldestPendingAt: number | null;
  /** The last failure's sentence. */
  lastFailure: string | null;
  /** What slows the endpoint down on purpose. */
  limited: boolean;
  /** The 95th percentile of the shortest window that has attempts. */
  p95Ms: number | null;
}

/**
 * `idle`: nothing was tried within 24 hours; `failing`: nothing has succeeded lately; `degraded`: some attempts failed.
 */
export type HealthState = 'disabled' | 'idle' | 'healthy' | 'degraded' | 'failing';

/** A share of failures below this is noise. */
const noiseShare = 0.01;
/** Who answers more slowly than this does work that could be done afterwards. */
const slowMs = 5_000;
/** A backlog older than this is worth a word. */
const longWaitMs = 5 * 60_000;

/** The shortest window in which something was tried. */
const latest = (facts: HealthFacts): Attempts | undefined =>
  facts.windows.find(({ attempts }) => attempts > 0);

export function judgeState(facts: HealthFacts): HealthState {
  if (!facts.enabled) return 'disabled';
  const window = latest(facts);
  if (window === undefined) return facts.breaker === 'closed' ? 'idle' : 'failing';
  if (
    facts.failingSince !== null &&
    (facts.breaker !== 'closed' || window.attemptsFailed === window.attempts)
  )
    return 'failing';
  return window.attemptsFailed > window.attempts * noiseShare ? 'degraded' : 'healthy';
}

const day = 86_400_000;
const inDays = (ms: number): string =>
  ms >= day ? `${Math.round(ms / day)} days` : `${Math.round(ms / 1_000)} s`;
const atTime = (at: number): string => `${new Date(at).toISOString().slice(0, 19)}Z`;

/** One sentence or two on what to do, null where nothing is to be done. */
export function advise(facts: HealthFacts): string | null {
  const state = judgeState(facts);
  switch (state) {
    case 'disabled':
      return facts.disabledByItselfAt === null
        ? 'The webhook is disabled: nothing is sent to it, and what waits for it stands still. Enable it to go on.'
        : `Posthorn disabled the webhook after ${inDays(facts.disableAfterMs)} of nothing but failures. Mend the receiver, then enable the webhook; what it missed can be replayed.`;
    case 'failing':
      return adviseFailing(facts);
    case 'degraded':
      return adviseDegraded(facts);
    case 'healthy':
    case 'idle':
      return adviseWaiting(facts);
  }
}

function adviseFailing({ failingSince, disableAfterMs, lastFailure }: HealthFacts): string {
  const since = failingSince === null ? 'lately' : `since ${atTime(failingSince)}`;
  const why = lastFailure === null ? '' : ` ${lastFailure}`;
  const end =
    disableAfterMs > 0 && failingSince !== null
      ? ` If that goes on, the webhook is disabled from ${atTime(failingSince + disableAfterMs)} on.`
      : '';
  return `Every attempt has failed ${since}.${why}${end}`;
}

function adviseDegraded(facts: HealthFacts): string {
  const window = latest(facts);
  const share =
    window === undefined ? 0 : Math.max(1, Math.round((100 * window.attemptsFailed) / window.attempts));
  const why = facts.lastFailure === null ? '' : ` The last one: ${facts.lastFailure}`;
  return `${share}% of the latest attempts failed; they are tried again.${why}`;
}

function adviseWaiting({
  backlog,
  drainEtaMs,
  oldestPendingAt,
  now,
  limited,
  p95Ms,
}: HealthFacts): string | null {
  const waitsLong = backlog > 0 && oldestPendingAt !== null && now - oldestPendingAt > longWaitMs;
  if (waitsLong && drainEtaMs === null) {
    return limited
      ? `${backlog} deliveries wait and they do not become fewer: raise the webhook's maxConcurrency or ratePerSecond.`
      : `${backlog} deliveries wait and they do not become fewer: answer faster, with 2xx at once and the work afterwards.`;
  }
  if (p95Ms !== null && p95Ms > slowMs)
    return `One answer in twenty takes longer than ${Math.round(p95Ms / 100) / 10} s: answer 2xx at once and do the work afterwards.`;
  return null;
}

/** In and out of a backlog, in the slot of time that begins at `at` and in the one before it. */
export interface Flow {
  at: number;
  slotMs: number;
  came: number;
  left: number;
  cameBefore: number;
  leftBefore: number;
  /** When that was written: no more has been counted. */
  writtenAt: number;
}

/** A slot says something of the rate once this much of it is over. */
const tellingMs = 2_000;

/**
 * How long a backlog takes to drain at the present rate.
 * @returns ms; 0 where nothing waits, null where it does not become smaller
 */
export function drainEta(backlog: number, flow: Flow | null, now: number): number | null {
  if (backlog === 0) return 0;
  if (flow === null || now - flow.writtenAt > 2 * flow.slotMs) return null;
  const overMs = Math.max(1, flow.writtenAt - flow.at);
  const rate = (drained: number, ms: number): number => drained / ms;
  const drainedNow = flow.left - flow.came;
  const perMs =
    overMs >= tellingMs
      ? rate(drainedNow, overMs)
      : rate(drainedNow + flow.leftBefore - flow.cameBefore, overMs + flow.slotMs);
  return perMs > 0 ? Math.ceil(backlog / perMs) : null;
}
