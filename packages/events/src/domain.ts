// Domain Events: a domain's own life: purchase, transfer, DNS, certificates, renewal.
// Domains as they are tied to a project are in project-domain.ts.

import { type Static, type TSchema, Type } from 'typebox';
import { type Availability, defineType } from './define.ts';
import { date, openObject, strings, teamAndUser } from './parts.ts';
import * as sample from './sample.ts';

const domain = Type.Object({ name: Type.String() });
const named = Type.Object({ ...teamAndUser, domain });
const namedSample = { ...sample.teamAndUser, domain: { name: sample.domainName } };
// Renewals and certificates are nobody's doing.
const automatic = { team: sample.team, user: sample.nobody };
const yearMs = 365 * 24 * 60 * 60 * 1000;

const certificate = Type.Object({ ...teamAndUser, cert: openObject });
const certificateSample = {
  ...automatic,
  cert: {
    id: 'cert_vK4qT8mZr2XnYw6L',
    cns: [sample.domainName, `www.${sample.domainName}`],
    autoRenew: true,
    createdAt: sample.happenedAt,
    expiresAt: sample.happenedAt + 90 * 24 * 60 * 60 * 1000,
  },
};
const certificateFailure = Type.Object({ ...teamAndUser, dnsNames: strings });
const certificateFailureSample = {
  ...automatic,
  dnsNames: [sample.domainName, `www.${sample.domainName}`],
};

const describe = <const Name extends string, Schema extends TSchema>(
  type: Name,
  label: string,
  description: string,
  schema: Schema,
  payload: NoInfer<Static<Schema> & object>,
  availability: Availability = 'account',
) =>
  defineType({ type, label, category: 'Domain Events', description, availability, schema, sample: payload });

export const domainTypes = [
  describe(
    'domain.created',
    'Domain Created',
    'A domain is added to the team.',
    Type.Object({
      ...teamAndUser,
      domain: Type.Object({ name: Type.String(), delegated: Type.Boolean() }),
    }),
    { ...sample.teamAndUser, domain: { name: sample.domainName, delegated: false } },
    'both',
  ),
  describe(
    'domain.dns.records.changed',
    'Domain DNS Records Changed',
    "A domain's DNS records are added, changed or removed.",
    Type.Object({ ...teamAndUser, zone: Type.String(), changes: Type.Array(Type.Unknown()) }),
    {
      ...sample.teamAndUser,
      zone: sample.domainName,
      changes: [{ action: 'create', record: { type: 'CNAME', name: 'www', value: 'cname.vercel-dns.com' } }],
    },
  ),
  describe(
    'domain.transfer-in.started',
    'Domain Transfer In Started',
    'The transfer of a domain to the team begins.',
    named,
    namedSample,
  ),
  describe(
    'domain.transfer-in.completed',
    'Domain Transfer In Completed',
    'The transfer of a domain to the team is done.',
    named,
    namedSample,
  ),
  describe(
    'domain.transfer-in.failed',
    'Domain Transfer In Failed',
    'The transfer of a domain to the team has failed.',
    named,
    namedSample,
  ),
  describe(
    'domain.certificate.add',
    'Domain Certificate Add',
    'A certificate is issued for a domain.',
    certificate,
    certificateSample,
  ),
  describe(
    'domain.certificate.add.failed',
    'Domain Certificate Add Failed',
    'No certificate could be issued for a domain.',
    certificateFailure,
    certificateFailureSample,
  ),
  describe(
    'domain.certificate.renew',
    'Domain Certificate Renew',
    "A domain's certificate is renewed.",
    certificate,
    certificateSample,
  ),
  describe(
    'domain.certificate.renew.failed',
    'Domain Certificate Renew Failed',
    "A domain's certificate could not be renewed.",
    certificateFailure,
    certificateFailureSample,
  ),
  describe(
    'domain.certificate.deleted',
    'Domain Certificate Deleted',
    "A domain's certificate is deleted.",
    certificate,
    certificateSample,
  ),
  describe(
    'domain.renewal',
    'Domain Renewal',
    'A domain is renewed for another term.',
    Type.Object({
      ...teamAndUser,
      domain,
      price: Type.String(),
      expirationDate: date,
      renewedAt: date,
    }),
    {
      ...automatic,
      domain: { name: sample.domainName },
      price: '19.99',
      expirationDate: new Date(sample.happenedAt + yearMs).toISOString(),
      renewedAt: new Date(sample.happenedAt).toISOString(),
    },
  ),
  describe(
    'domain.renewal.failed',
    'Domain Renewal Failed',
    'A domain could not be renewed.',
    Type.Object({ ...teamAndUser, domain, errorReason: Type.String(), failedAt: date }),
    {
      ...automatic,
      domain: { name: sample.domainName },
      errorReason: 'The payment method was declined.',
      failedAt: new Date(sample.happenedAt).toISOString(),
    },
  ),
  describe(
    'domain.auto-renew.changed',
    'Domain Auto Renew Changed',
    'Automatic renewal of a domain is switched on or off.',
    Type.Object({ ...teamAndUser, domain, previous: Type.Boolean(), next: Type.Boolean() }),
    { ...namedSample, previous: false, next: true },
  ),
];
