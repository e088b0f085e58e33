// Deployment Events: the five deployment types of the dashboard. Those it does not list are in lifecycle.ts
// and check.ts.

import { Type } from 'typebox';
import { defineType } from './define.ts';
import {
  deployment,
  deploymentLinks,
  observedOnDeployments,
  strings,
  target,
  teamAndUser,
  withId,
} from './parts.ts';
import { aliases, deploymentPayload, promotedPayload } from './sample.ts';

const promotedFields = {
  ...teamAndUser,
  deployment,
  links: deploymentLinks,
  project: withId,
  plan: Type.String(),
  regions: strings,
  ...observedOnDeployments,
  // What native integrations get beside it; `installationIds` is the deprecated form.
  installationIds: Type.Optional(strings),
  integrations: Type.Optional(
    Type.Array(
      Type.Object({
        installationId: Type.String(),
        resources: Type.Optional(Type.Array(Type.Object({ externalResourceId: Type.String() }))),
      }),
    ),
  ),
};

/** The payload most deployment types share. */
export const deploymentSchema = Type.Object({ ...promotedFields, target });

export const deploymentTypes = [
  defineType({
    type: 'deployment.created',
    label: 'Deployment Created',
    category: 'Deployment Events',
    description: 'A new deployment begins: a push, the command line, the API, a deploy hook or a redeploy.',
    availability: 'both',
    schema: Type.Object({ ...promotedFields, target, alias: strings }),
    sample: { ...deploymentPayload, alias: aliases },
  }),
  defineType({
    type: 'deployment.succeeded',
    label: 'Deployment Succeeded',
    category: 'Deployment Events',
    description: 'A deployment is built and every blocking check on it has passed.',
    availability: 'both',
    schema: deploymentSchema,
    sample: deploymentPayload,
  }),
  defineType({
    type: 'deployment.promoted',
    label: 'Deployment Promoted',
    category: 'Deployment Events',
    description: 'A deployment starts to serve production, by hand or automatically; rollbacks do not count.',
    availability: 'both',
    schema: Type.Object(promotedFields),
    sample: promotedPayload,
  }),
  defineType({
    type: 'deployment.error',
    label: 'Deployment Error',
    category: 'Deployment Events',
    description: 'A deployment has failed.',
    availability: 'both',
    schema: deploymentSchema,
    sample: deploymentPayload,
  }),
  defineType({
    type: 'deployment.canceled',
    label: 'Deployment Cancelled',
    category: 'Deployment Events',
    description: 'A deployment is stopped before it is done.',
    availability: 'both',
    schema: deploymentSchema,
    sample: deploymentPayload,
  }),
];
