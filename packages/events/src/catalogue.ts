// The whole catalogue in display order, and the types that follow from it: a payload's type is its schema's.

import type { Static } from 'typebox';
import { checkTypes } from './check.ts';
import { commentTypes } from './comment.ts';
import type { EventType } from './define.ts';
import { deploymentTypes } from './deployment.ts';
import { domainTypes } from './domain.ts';
import { edgeConfigTypes } from './edge-config.ts';
import { anomalyTypes, attackTypes } from './firewall.ts';
import { flagTypes } from './flag.ts';
import { integrationTypes } from './integration.ts';
import { legacyTypes } from './legacy.ts';
import { lifecycleTypes } from './lifecycle.ts';
import { marketplaceTypes } from './marketplace.ts';
import { observabilityTypes } from './observability.ts';
import { posthornTypes } from './posthorn.ts';
import { projectTypes } from './project.ts';
import { projectDomainTypes } from './project-domain.ts';
import { rollingReleaseTypes } from './rolling-release.ts';
import { aiGatewayTypes, budgetTypes, functionTypes } from './usage.ts';
import { webhookTypes } from './webhook.ts';

const defined = [
  ...deploymentTypes,
  ...projectTypes,
  ...attackTypes,
  ...lifecycleTypes,
  ...checkTypes,
  ...rollingReleaseTypes,
  ...projectDomainTypes,
  ...domainTypes,
  ...anomalyTypes,
  ...observabilityTypes,
  ...edgeConfigTypes,
  ...flagTypes,
  ...aiGatewayTypes,
  ...functionTypes,
  ...budgetTypes,
  ...commentTypes,
  ...webhookTypes,
  ...integrationTypes,
  ...marketplaceTypes,
  ...legacyTypes,
  ...posthornTypes,
];

type Defined = (typeof defined)[number];
type Payloads = { [Entry in Defined as Entry['type']]: Static<Entry['schema']> };

/** The names of Vercel's 112 types and of Posthorn's own. */
export type EventName = Defined['type'];
/** The names of the deprecated hyphenated types. */
export type LegacyEventName = (typeof legacyTypes)[number]['type'];
/** What the payload of a type holds. */
export type Payload<Name extends EventName> = Payloads[Name];

interface Envelope<Name extends EventName> {
  id: string;
  type: Name;
  /** Epoch ms. */
  createdAt: number;
  payload: Payload<Name>;
  region: string | null;
}

/** What the envelope of a legacy type says beside the five fields of all. */
interface LegacyFields {
  /** The integration's client id; null if no integration is meant. */
  clientId: string | null;
  /** The team or the user the event belongs to. */
  ownerId: string;
  teamId: string | null;
  /** Null if no person caused it. */
  userId: string | null;
}

/** The body of a delivery. Without a name it is the union of all, told apart by `type`. */
export type Event<Name extends EventName = EventName> = Name extends LegacyEventName
  ? Envelope<Name> & LegacyFields
  : Name extends EventName
    ? Envelope<Name>
    : never;

/** Every event type, grouped by category in display order. */
export const eventTypes: readonly EventType[] = defined;

/** The same by name. Only canonical (dotted) names are keys; see spelling.ts for the others. */
export const eventTypesByName: ReadonlyMap<string, EventType> = new Map(
  eventTypes.map((entry) => [entry.type, entry]),
);
