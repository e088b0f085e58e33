// Publish: judges events, serialises each once, has the store accept them, and hands what was born leased to the
// dispatcher. Also the way in for changes of the platform, whose events are accepted in the change's own commit.
import type { Clock } from '../clock.ts';
import { serialiseEvent } from '../core/envelope.ts';
import { readTime } from '../core/time.ts';
import { ApiError } from '../errors.ts';
import { newSortableId } from '../id.ts';
import type {
  Accepted,
  Birth,
  Change,
  ChangeOutcome,
  NewEvent,
  RedeliverOutcome,
  Step,
  Store,
} from '../store/store.ts';
import type { Intake } from './intake.ts';

/** What publishing needs to know of an event type. */
export interface PublishedType {
  type: string;
  legacy: boolean;
}

/** The catalogue, as publishing sees it. */
export interface Types<Type extends PublishedType> {
  find(spelling: string): Type | null;
  /** Looks for types that other nodes have added until now. */
  look(): Promise<void>;
  /** What is wrong with a payload, as a sentence; null if nothing is. */
  explainPayload(type: Type, payload: unknown): string | null;
}

/** Where births go. */
export interface Births {
  /** Takes the deliveries of a stored event that this process holds: those that were leased. */
  take(event: NewEvent, born: Birth[]): void;
  noteBehind(tag: string): void;
  noteChange(tag: string): void;
}

export interface PublishLimits {
  maxEventBytes: number;
  maxBatchEvents: number;
  createdAtWindowMs: number;
  maxQueuedEvents: number;
  maxQueuedBytes: number;
}

export interface PublishResult {
  id: string;
  createdAt: number;
  deliveries: number;
}

/** An event that a change of the platform causes. */
export interface CausedEvent {
  teamId: string;
  type: string;
  projectId: string | null;
  payload: Record<string, unknown>;
}

/** A test event for one endpoint, subscribed or not. */
export interface TestEvent {
  teamId: string;
  type: string;
  payload: object;
  tag: string;
}

/** What became of one call's events. */
export interface PublishedCall {
  results: PublishResult[];
  /** Whether every id was there already. */
  allKnown: boolean;
}

export interface Publisher {
  /**
   * Publishes one call's events, all or nothing.
   * @param inputs what the caller sent, unjudged
   * @returns the results in order, and whether every id was there already
   * @throws ApiError with what is wrong; nothing was stored then
   */
  publish(teamId: string, inputs: unknown[], asArray: boolean): Promise<PublishedCall>;
  /** Stores a test event and makes its one delivery. */
  publishTest(event: TestEvent): Promise<PublishResult>;
  /** Makes one attempt of a delivery due now; `audit` is written in the same commit. */
  redeliver(key: string, tag: string, now: number, audit: Step): Promise<RedeliverOutcome>;
  /** Makes a change of the control plane together with the events it causes, in one commit. */
  change(change: Omit<Change, 'events'>, events: CausedEvent[]): Promise<ChangeOutcome>;
  /** Events that were taken in and are not committed yet. */
  readonly queued: number;
}

const idPattern = /^[A-Za-z0-9_:-]{1,128}$/;
const reservedIds = new Set(['types']);
const regionLimit = 64;
const projectPattern = /^[A-Za-z0-9_.:-]{1,128}$/;

export function createPublisher<Type extends PublishedType>(parts: {
  store: Store;
  clock: Clock;
  types: Types<Type>;
  births: Births;
  limits: PublishLimits;
  intake: Intake;
  onAccepted(events: number): void;
}): Publisher {
  const { store, clock, types, births, limits, intake } = parts;
  let queued = 0;
  let queuedBytes = 0;

  function judge(teamId: string, input: unknown, where: string, now: number): NewEvent {
    if (typeof input !== 'object' || input === null || Array.isArray(input)) {
      throw bad(`${where || 'The body'} must be an object with "type" and "payload".`);
    }
    const fields = input as Record<string, unknown>;
    const at = where === '' ? '' : `${where}.`;
    const { type: spelling, payload, projectId, region, id } = fields;
    if (typeof spelling !== 'string') throw bad(`${at}type must be a string: the name of an event type.`);
    const type = types.find(spelling);
    if (type === null) {
      throw new ApiError(
        'invalid_event',
        `${at}type: there is no event type "${clip(spelling)}". GET /v1/event-types lists them.`,
      );
    }
    if (typeof payload !== 'object' || payload === null || Array.isArray(payload)) {
      throw bad(`${at}payload must be an object.`);
    }
    if (
      projectId !== undefined &&
      projectId !== null &&
      (typeof projectId !== 'string' || !projectPattern.test(projectId))
    ) {
      throw bad(`${at}projectId must be a project's id, or be left out.`);
    }
    if (
      region !== undefined &&
      region !== null &&
      (typeof region !== 'string' || region.length > regionLimit)
    ) {
      throw bad(`${at}region must be a string of at most ${regionLimit} characters, or be left out.`);
    }
    if (id !== undefined && (typeof id !== 'string' || !idPattern.test(id) || reservedIds.has(id))) {
      throw bad(`${at}id must be 1 to 128 letters, digits or any of "_:-".`);
    }
    const createdAt = judgeCreatedAt(fields.createdAt, at, now);
    const wrong = types.explainPayload(type, payload);
    if (wrong !== null) throw new ApiError('invalid_payload', `${at}${wrong} (event type ${type.type}).`);
    return build({
      teamId,
      type,
      payload,
      projectId: projectId ?? null,
      region: region ?? null,
      id: id ?? null,
      createdAt,
      now,
      where,
    });
  }

  function judgeAll(teamId: string, inputs: unknown[], asArray: boolean): NewEvent[] {
    if (inputs.length === 0) throw bad('The array has no events.');
    if (inputs.length > limits.maxBatchEvents) {
      throw new ApiError(
        'payload_too_large',
        `The array has ${inputs.length} events; ${limits.maxBatchEvents} are the most.`,
      );
    }
    const now = clock.now();
    return inputs.map((input, index) => judge(teamId, input, asArray ? `events[${index}]` : '', now));
  }

  function judgeCreatedAt(value: unknown, at: string, now: number): number | null {
    if (value === undefined || value === null) return null;
    const time = typeof value === 'number' || typeof value === 'string' ? readTime(value) : null;
    if (time === null) throw bad(`${at}createdAt must be epoch milliseconds or an ISO 8601 time.`);
    const { createdAtWindowMs } = limits;
    if (createdAtWindowMs > 0 && Math.abs(time - now) > createdAtWindowMs) {
      throw bad(
        `${at}createdAt is more than ${createdAtWindowMs / 60_000} minutes from now. Leave it out, or widen POSTHORN_CREATED_AT_WINDOW.`,
      );
    }
    return time;
  }

  function build(fields: {
    teamId: string;
    type: PublishedType;
    payload: object;
    projectId: string | null;
    region: string | null;
    id: string | null;
    createdAt: number | null;
    now: number;
    where?: string;
    only?: string;
  }): NewEvent {
    const { teamId, type, payload, projectId, region, now } = fields;
    const uid = newSortableId(now);
    const id = fields.id ?? uid;
    const createdAt = fields.createdAt ?? now;
    const body = serialiseEvent(
      { id, type: type.type, createdAt, payload, region },
      type.legacy ? legacyFields(teamId, payload) : null,
    );
    if (body.length > limits.maxEventBytes) {
      throw new ApiError(
        'payload_too_large',
        `${fields.where || 'The event'} is ${body.length} bytes as it would be sent; the limit is ${limits.maxEventBytes} (POSTHORN_MAX_EVENT_BYTES).`,
      );
    }
    return {
      uid,
      id,
      teamId,
      type: type.type,
      projectId,
      region,
      createdAt,
      createdAtGiven: fields.createdAt !== null,
      acceptedAt: now,
      body,
      only: fields.only ?? null,
    };
  }

  function handOver(event: NewEvent, born: Birth[]): void {
    if (born.length > 0) births.take(event, born);
    for (const { tag, leased } of born) if (!leased) births.noteBehind(tag);
  }

  /** @param make the events, or what is wrong with them */
  async function accept(make: () => NewEvent[]): Promise<PublishedCall> {
    const events = make();
    let bytes = 0;
    for (const event of events) bytes += event.body.length;
    if (queued + events.length > limits.maxQueuedEvents || queuedBytes + bytes > limits.maxQueuedBytes) {
      throw new ApiError(
        'rate_limited',
        'More events are waiting for their commit than this server takes. Try again in a second.',
        {
          headers: { 'retry-after': '1' },
        },
      );
    }
    queued += events.length;
    queuedBytes += bytes;
    try {
      const teamId = events[0]?.teamId ?? '';
      const pause = intake.enter(teamId);
      if (pause !== null) await pause;
      const outcome = await store.accept({ events });
      if (outcome.kind === 'conflict') {
        const id = events[outcome.index]?.id;
        throw new ApiError(
          'id_conflict',
          `The event id ${id} is taken by an event with other content. Publish under another id.`,
        );
      }
      let allKnown = true;
      const results: PublishResult[] = [];
      for (let i = 0; i < events.length; i++) {
        const event = events[i] as NewEvent;
        const accepted = outcome.events[i] as Accepted;
        if (accepted.kind === 'known') {
          results.push({ id: event.id, createdAt: accepted.createdAt, deliveries: accepted.deliveries });
          continue;
        }
        allKnown = false;
        handOver(event, accepted.births);
        intake.count(teamId, accepted.births.length);
        results.push({ id: event.id, createdAt: event.createdAt, deliveries: accepted.births.length });
      }
      parts.onAccepted(results.length);
      return { results, allKnown };
    } finally {
      queued -= events.length;
      queuedBytes -= bytes;
    }
  }

  function isOfUnknownType(input: unknown): boolean {
    const { type } = (input ?? {}) as { type?: unknown };
    return typeof type === 'string' && types.find(type) === null;
  }

  function findType(name: string): Type {
    const type = types.find(name);
    if (type === null) throw new Error(`The catalogue lacks ${name}.`);
    return type;
  }

  return {
    publish(teamId, inputs, asArray) {
      const make = () => judgeAll(teamId, inputs, asArray);
      // What is too long is refused before anything of it is looked up.
      const mayLook = inputs.length <= limits.maxBatchEvents && inputs.some(isOfUnknownType);
      return mayLook ? types.look().then(() => accept(make)) : accept(make);
    },

    async publishTest({ teamId, type, payload, tag }) {
      const now = clock.now();
      const make = () => [
        build({
          teamId,
          type: findType(type),
          payload,
          projectId: null,
          region: null,
          id: null,
          createdAt: null,
          now,
          only: tag,
        }),
      ];
      const { results } = await accept(make);
      return results[0] as PublishResult;
    },

    async redeliver(key, tag, now, audit) {
      const outcome = await store.redeliver(key, now, audit);
      if (outcome === 'queued') births.noteBehind(tag);
      return outcome;
    },

    async change(change, caused) {
      const events = caused.map(({ teamId, type, projectId, payload }) => {
        const known = findType(type);
        const wrong = types.explainPayload(known, payload);
        if (wrong !== null) throw new Error(`A change would cause a malformed ${type}: ${wrong}.`);
        return build({
          teamId,
          type: known,
          payload,
          projectId,
          region: null,
          id: null,
          createdAt: null,
          now: change.now,
        });
      });
      const outcome = await store.change({ ...change, events });
      if (outcome.kind !== 'done') return outcome;
      for (const [index, event] of events.entries()) handOver(event, outcome.births[index] ?? []);
      for (const tag of change.touched) births.noteChange(tag);
      if (events.length > 0) parts.onAccepted(events.length);
      return outcome;
    },

    get queued() {
      return queued;
    },
  };
}

/** Legacy types name their owner beside the payload (CONTRACT, "Delivery"). */
function legacyFields(teamId: string, payload: object) {
  const { user } = payload as { user?: { id?: unknown } };
  return {
    clientId: null,
    ownerId: teamId,
    teamId,
    userId: typeof user?.id === 'string' ? user.id : null,
  };
}

const bad = (message: string) => new ApiError('bad_request', message);
const clip = (text: string) => (text.length > 60 ? `${text.slice(0, 60)}…` : text);
