// Deployment Check Events: checks that integrations and webhooks run on a deployment, and how they end.

import { Type } from 'typebox';
import { defineType } from './define.ts';
import {
  looseNumber,
  looseObject,
  looseString,
  nullableString,
  outlinePayload,
  teamAndUser,
  withId,
} from './parts.ts';
import * as sample from './sample.ts';

// One published handler is the only evidence of a check run's shape.
const checkRunSchema = outlinePayload({
  checkRun: Type.Optional(
    Type.Object({
      id: looseString,
      checkId: looseString,
      deploymentId: looseString,
      timeout: looseNumber,
      source: Type.Optional(
        Type.Object({
          kind: looseString,
          integrationConfigurationId: looseString,
          externalResourceId: Type.Optional(nullableString),
          webhookId: looseString,
        }),
      ),
    }),
  ),
  deployment: looseObject,
});
const checkRunSample = {
  ...sample.teamAndUser,
  checkRun: {
    id: 'checkrun_7tRvK2mXqL9zYw4N',
    checkId: sample.checkId,
    deploymentId: sample.deploymentId,
    timeout: 300000,
    source: { kind: 'integration', integrationConfigurationId: sample.installationId },
  },
  deployment: sample.deployment,
  project: sample.project,
};

const checksSchema = outlinePayload({ deployment: looseObject });
const checksSample = { ...sample.teamAndUser, deployment: sample.deployment, project: sample.project };

export const checkTypes = [
  defineType({
    type: 'deployment.check-rerequested',
    label: 'Deployment Check Rerequested',
    category: 'Deployment Check Events',
    description: 'Somebody asks for a failed check on a deployment to run again.',
    availability: 'integration',
    schema: Type.Object({ ...teamAndUser, deployment: withId, check: withId }),
    sample: { ...sample.teamAndUser, deployment: { id: sample.deploymentId }, check: { id: sample.checkId } },
  }),
  defineType({
    type: 'deployment.checkrun.start',
    label: 'Deployment Check Run Start',
    category: 'Deployment Check Events',
    description: 'A check on a deployment should begin.',
    availability: 'both',
    documented: false,
    schema: checkRunSchema,
    sample: checkRunSample,
  }),
  defineType({
    type: 'deployment.checkrun.cancel',
    label: 'Deployment Check Run Cancel',
    category: 'Deployment Check Events',
    description: 'A check on a deployment is no longer wanted and should stop.',
    availability: 'both',
    documented: false,
    schema: checkRunSchema,
    sample: checkRunSample,
  }),
  defineType({
    type: 'deployment.checks.succeeded',
    label: 'Deployment Checks Succeeded',
    category: 'Deployment Check Events',
    description: 'All checks on a deployment have passed.',
    availability: 'account',
    documented: false,
    schema: checksSchema,
    sample: checksSample,
  }),
  defineType({
    type: 'deployment.checks.failed',
    label: 'Deployment Checks Failed',
    category: 'Deployment Check Events',
    description: 'The checks on a deployment have ended and at least one has failed.',
    availability: 'account',
    documented: false,
    schema: checksSchema,
    sample: checksSample,
  }),
];
