// Two spellings of domain events are in use: the API and the SDK write dots, the webhook reference and the
// Terraform provider write hyphens. Both are understood; the catalogue's own is the dotted one.

import { type EventName, eventTypesByName } from './catalogue.ts';

const spellings: readonly (readonly [string, EventName])[] = [
  ['domain.auto-renew-changed', 'domain.auto-renew.changed'],
  ['domain.certificate-add', 'domain.certificate.add'],
  ['domain.certificate-add-failed', 'domain.certificate.add.failed'],
  ['domain.certificate-deleted', 'domain.certificate.deleted'],
  ['domain.certificate-renew', 'domain.certificate.renew'],
  ['domain.certificate-renew-failed', 'domain.certificate.renew.failed'],
  ['domain.dns-records-changed', 'domain.dns.records.changed'],
  ['domain.renewal-failed', 'domain.renewal.failed'],
  ['domain.transfer-in-completed', 'domain.transfer-in.completed'],
  ['domain.transfer-in-failed', 'domain.transfer-in.failed'],
  ['domain.transfer-in-started', 'domain.transfer-in.started'],
  ['project.domain-created', 'project.domain.created'],
  ['project.domain-deleted', 'project.domain.deleted'],
  ['project.domain-moved', 'project.domain.moved'],
  ['project.domain-unverified', 'project.domain.unverified'],
  ['project.domain-updated', 'project.domain.updated'],
  ['project.domain-verified', 'project.domain.verified'],
];

/** Hyphen spelling → the catalogue's own. */
export const hyphenSpellings: ReadonlyMap<string, string> = new Map(spellings);

/** The catalogue's own name of a type in any accepted spelling; null if there is no such type. */
export function canonicalType(spelling: string): string | null {
  if (eventTypesByName.has(spelling)) return spelling;
  return hyphenSpellings.get(spelling) ?? null;
}
