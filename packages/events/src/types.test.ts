// The TypeScript types that follow from the schemas. What must not compile stands under @ts-expect-error, so
// that the type check fails as soon as it does compile.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Event, type EventName, eventTypesByName, type Payload } from './index.ts';
import { deploymentPayload, namedProject, promotedPayload, teamId } from './sample.ts';

/** True if the two are one type, and neither is `any`. */
type Same<A, B> = 0 extends 1 & A ? false : [A, B] extends [B, A] ? true : false;

const received: Event<'deployment.succeeded'> = {
  id: 'x7Kq2mZrT9bWnYvLp3HcJ',
  type: 'deployment.succeeded',
  createdAt: 1772443800000,
  payload: deploymentPayload,
  region: null,
};

const summarise = (event: Event): string => {
  if (event.type === 'project.renamed')
    return `${event.payload.previousName} → ${event.payload.project.name}`;
  if (event.type === 'deployment.succeeded') return event.payload.deployment.url;
  return event.type;
};

// @ts-expect-error a promotion has no target
const targetOf = (payload: Payload<'deployment.promoted'>): unknown => payload.target;
// @ts-expect-error nothing is certain about an undocumented payload
const attackedIn = (payload: Payload<'firewall.attack'>): string => payload.projectId;

test('a payload is typed down to its leaves, and a typo does not compile', () => {
  const id: Event<'deployment.succeeded'>['payload']['deployment']['id'] = received.payload.deployment.id;
  assert.match(id, /^dpl_/);
  const same: [
    Same<Event<'deployment.succeeded'>['payload']['deployment']['id'], string>,
    Same<Payload<'deployment.error'>['target'], 'production' | 'staging' | null>,
    Same<Payload<'project.created'>['user']['id'], string | null>,
    Same<Payload<'marketplace.member.changed'>['role'], 'ADMIN' | 'USER' | 'NONE'>,
  ] = [true, true, true, true];
  assert.deepEqual(new Set(same), new Set([true]));

  // @ts-expect-error a typo in a field
  assert.equal(received.payload.deployment.idd, undefined);
  // @ts-expect-error a typo in a name
  const unknownName: EventName = 'deployment.succeded';
  assert.equal(eventTypesByName.get(unknownName), undefined);
  // @ts-expect-error a typo in the name of an event
  const unknownId: Event<'deployment.succeded'>['id'] = received.id;
  assert.equal(unknownId, received.id);
  assert.equal(targetOf(promotedPayload), undefined);
});

test('what may be missing must be asked for', () => {
  // @ts-expect-error an inspector's address may be missing
  const inspectorUrl: string = received.payload.deployment.inspectorUrl;
  assert.match(inspectorUrl, /^https:/);
  assert.equal(attackedIn({}), undefined);
});

test('the type tells the events apart', () => {
  assert.equal(summarise(received), received.payload.deployment.url);
});

test('only the legacy types have the legacy envelope', () => {
  const legacy: Event<'project-created'> = {
    id: 'x7Kq2mZrT9bWnYvLp3HcK',
    type: 'project-created',
    createdAt: 1772443800000,
    payload: { project: namedProject },
    region: null,
    clientId: null,
    ownerId: teamId,
    teamId,
    userId: null,
  };
  assert.equal(legacy.teamId, legacy.ownerId);
  // @ts-expect-error the others have none
  assert.equal(received.ownerId, undefined);
});
