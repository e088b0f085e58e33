// Observability Events: alerts about unusual usage or errors. `alerts.triggered` has taken the place of the
// two older anomaly types, whose alerts say more about the failing route.

import { Type } from 'typebox';
import { defineType } from './define.ts';
import { looseNumber, looseString, openObject, optionalTeamAndUser, outlinePayload } from './parts.ts';
import * as sample from './sample.ts';

const alertFields = {
  startedAt: Type.String(),
  title: Type.String(),
  unit: Type.String(),
  formattedValues: openObject,
  count: Type.Number(),
  average: Type.Number(),
  stddev: Type.Number(),
  zscore: Type.Number(),
  zscoreThreshold: Type.Number(),
  alertId: Type.String(),
  type: Type.String(),
};
const groupFields = {
  ...optionalTeamAndUser,
  teamId: Type.String(),
  projectId: Type.String(),
  startedAt: Type.Number(),
  links: Type.Object({ observability: Type.String() }),
  projectSlug: Type.String(),
  teamSlug: Type.String(),
  groupId: Type.Optional(Type.String()),
};
const olderSchema = Type.Object({
  ...groupFields,
  alerts: Type.Array(
    Type.Object({
      ...alertFields,
      metric: looseString,
      route: looseString,
      statusGroup: looseString,
      cause: looseString,
      errorCode: looseString,
    }),
  ),
});

const alert = {
  startedAt: new Date(sample.happenedAt).toISOString(),
  unit: 'requests',
  count: 48210,
  average: 6130.5,
  stddev: 1480.2,
  zscore: 28.4,
  zscoreThreshold: 4,
  formattedValues: { count: '48.2K', average: '6.1K', stddev: '1.5K' },
  alertId: 'alrt_8vKqT2mZr5XnYw7L',
};
const usageAlert = {
  ...alert,
  title: 'Edge Requests are unusually high',
  type: 'usage_anomaly',
  metric: 'edge_requests',
};
const errorAlert = {
  ...alert,
  title: 'Server errors are unusually frequent',
  type: 'error_anomaly',
  route: '/api/checkout',
  statusGroup: '5xx',
  cause: 'function',
};
const group = {
  teamId: sample.teamId,
  projectId: sample.projectId,
  startedAt: sample.happenedAt,
  links: { observability: 'https://vercel.com/acme/storefront/observability' },
  projectSlug: sample.projectName,
  teamSlug: 'acme',
  groupId: 'agrp_3nYwT7vKqL5zXm9R',
};

const outline = outlinePayload({ projectSlug: looseString, teamSlug: looseString, startedAt: looseNumber });
const outlineSample = {
  team: sample.team,
  user: sample.nobody,
  teamId: sample.teamId,
  projectId: sample.projectId,
  projectSlug: sample.projectName,
  teamSlug: 'acme',
  startedAt: sample.happenedAt,
};

export const observabilityTypes = [
  defineType({
    type: 'alerts.triggered',
    label: 'Alerts Triggered',
    category: 'Observability Events',
    description: "An alert goes off because a project's usage or errors leave their usual range.",
    availability: 'account',
    schema: Type.Object({
      ...groupFields,
      alerts: Type.Array(Type.Object({ ...alertFields, metric: Type.String() })),
    }),
    sample: { ...group, alerts: [usageAlert] },
  }),
  defineType({
    type: 'observability.anomaly',
    label: 'Observability Anomaly',
    category: 'Observability Events',
    description: 'Something about a project is measured to be unusual.',
    availability: 'account',
    documented: false,
    schema: outline,
    sample: outlineSample,
  }),
  defineType({
    type: 'observability.anomaly-error',
    label: 'Observability Anomaly Error',
    category: 'Observability Events',
    description: "A project's errors are measured to be unusual.",
    availability: 'account',
    documented: false,
    schema: outline,
    sample: outlineSample,
  }),
  defineType({
    type: 'observability.usage-anomaly',
    label: 'Observability Usage Anomaly',
    category: 'Observability Events',
    description: "A project's usage leaves its usual range; alerts.triggered has replaced it.",
    availability: 'account',
    schema: olderSchema,
    sample: { ...group, alerts: [usageAlert] },
  }),
  defineType({
    type: 'observability.error-anomaly',
    label: 'Observability Error Anomaly',
    category: 'Observability Events',
    description: "A project's error rate leaves its usual range; alerts.triggered has replaced it.",
    availability: 'account',
    schema: olderSchema,
    sample: { ...group, alerts: [errorAlert] },
  }),
];
