// The groups event types are shown in, in display order. The first three are spelt, and filled, as Vercel's
// dashboard shows them; what its dashboard does not list has groups of its own after them.

/** Every category, in display order. */
export const categories = [
  'Deployment Events',
  'Project Events',
  'Firewall events',
  'Deployment Lifecycle Events',
  'Deployment Check Events',
  'Rolling Release Events',
  'Project Domain Events',
  'Domain Events',
  'Firewall Anomaly Events',
  'Observability Events',
  'Edge Config Events',
  'Flag Events',
  'AI Gateway Events',
  'Function Events',
  'Budget Events',
  'Comment Events',
  'Webhook Events',
  'Integration Events',
  'Marketplace Events',
  'Legacy Events',
  'Posthorn Events',
] as const;

export type Category = (typeof categories)[number];
