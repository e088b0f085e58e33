// Marketplace Events: invoices and members of an installation that is billed through the marketplace.

import { Type } from 'typebox';
import { defineType } from './define.ts';
import { installation, nullableString, optionalTeamAndUser } from './parts.ts';
import * as sample from './sample.ts';

const shared = { category: 'Marketplace Events', availability: 'integration' } as const;

const invoice = {
  ...optionalTeamAndUser,
  ...installation,
  invoiceId: Type.String(),
  externalInvoiceId: nullableString,
  period: Type.Object({ start: Type.String(), end: Type.String() }),
};
const invoiceSample = {
  ...sample.installation,
  invoiceId: 'mi_8vKqT2mZr5XnYw7LbHc4',
  externalInvoiceId: 'INV-2026-0217',
  period: { start: '2026-02-01T00:00:00.000Z', end: '2026-03-01T00:00:00.000Z' },
};

const describeInvoice = <const Name extends string>(type: Name, label: string, description: string) =>
  defineType({
    ...shared,
    type,
    label,
    description,
    schema: Type.Object({ ...invoice, invoiceDate: Type.String(), invoiceTotal: Type.String() }),
    sample: { ...invoiceSample, invoiceDate: '2026-03-01T00:00:00.000Z', invoiceTotal: '129.00' },
  });

export const marketplaceTypes = [
  describeInvoice(
    'marketplace.invoice.created',
    'Marketplace Invoice Created',
    'An invoice is made and sent to the customer.',
  ),
  describeInvoice('marketplace.invoice.paid', 'Marketplace Invoice Paid', 'An invoice is paid.'),
  describeInvoice(
    'marketplace.invoice.notpaid',
    'Marketplace Invoice Not Paid',
    'A payment of an invoice fails; each failed payment is an event of its own.',
  ),
  describeInvoice(
    'marketplace.invoice.overdue',
    'Marketplace Invoice Overdue',
    'An invoice is still unpaid after its grace period.',
  ),
  defineType({
    ...shared,
    type: 'marketplace.invoice.refunded',
    label: 'Marketplace Invoice Refunded',
    description: 'The customer gets money of a paid invoice back.',
    schema: Type.Object({ ...invoice, amount: Type.String(), reason: Type.String() }),
    sample: { ...invoiceSample, amount: '43.00', reason: 'Downgraded in the middle of the month' },
  }),
  defineType({
    ...shared,
    type: 'marketplace.member.changed',
    label: 'Marketplace Member Changed',
    description: "A member of the installation's team is added, gets another role, or leaves.",
    schema: Type.Object({
      ...optionalTeamAndUser,
      ...installation,
      memberId: Type.String(),
      // NONE says that the member was removed.
      role: Type.Enum(['ADMIN', 'USER', 'NONE']),
      globalUserId: Type.Optional(Type.String()),
      userEmail: Type.Optional(Type.String()),
    }),
    sample: { ...sample.installation, memberId: 'mem_5xPzT8vKqL2mRw7N', role: 'USER' },
  }),
];
