// Deployment Lifecycle Events: what happens to a deployment beside the five types of deployment.ts.

import { Type } from 'typebox';
import { defineType } from './define.ts';
import { deploymentSchema } from './deployment.ts';
import { looseObject, outlinePayload, stringMap, strings, target, teamAndUser, withId } from './parts.ts';
import * as sample from './sample.ts';

const outline = outlinePayload({ deployment: looseObject });
const outlineSample = { ...sample.teamAndUser, deployment: sample.deployment, project: sample.project };

export const lifecycleTypes = [
  defineType({
    type: 'deployment.ready',
    label: 'Deployment Ready',
    category: 'Deployment Lifecycle Events',
    description: 'A deployment is built and its checks may begin.',
    availability: 'both',
    schema: deploymentSchema,
    sample: sample.deploymentPayload,
  }),
  defineType({
    type: 'deployment.build-requested',
    label: 'Deployment Build Requested',
    category: 'Deployment Lifecycle Events',
    description: 'A build of a deployment is asked for.',
    availability: 'account',
    documented: false,
    schema: outline,
    sample: outlineSample,
  }),
  defineType({
    type: 'deployment.blocked',
    label: 'Deployment Blocked',
    category: 'Deployment Lifecycle Events',
    description: 'A deployment is held back and will not be built as it is.',
    availability: 'account',
    documented: false,
    schema: outline,
    sample: outlineSample,
  }),
  defineType({
    type: 'deployment.rollback',
    label: 'Deployment Rollback',
    category: 'Deployment Lifecycle Events',
    description: 'An instant rollback to an earlier deployment is accepted; its end has no event.',
    availability: 'account',
    schema: Type.Object({
      ...teamAndUser,
      project: withId,
      fromDeploymentId: Type.String(),
      toDeploymentId: Type.String(),
    }),
    sample: {
      ...sample.teamAndUser,
      project: sample.project,
      fromDeploymentId: sample.deploymentId,
      toDeploymentId: sample.earlierDeploymentId,
    },
  }),
  defineType({
    type: 'deployment.cleanup',
    label: 'Deployment Cleanup',
    category: 'Deployment Lifecycle Events',
    description:
      'A removed deployment can no longer be restored: its 30 days are over and it is gone for good.',
    availability: 'both',
    schema: Type.Object({
      ...teamAndUser,
      // Here target and regions belong to the deployment, unlike in every other type.
      deployment: Type.Object({
        id: Type.String(),
        meta: stringMap,
        url: Type.String(),
        name: Type.String(),
        alias: strings,
        target,
        customEnvironmentId: Type.Optional(Type.String()),
        regions: strings,
      }),
      project: withId,
    }),
    sample: {
      ...sample.teamAndUser,
      deployment: {
        id: sample.deployment.id,
        meta: sample.deployment.meta,
        url: sample.deployment.url,
        name: sample.deployment.name,
        alias: sample.aliases,
        target: 'production',
        regions: ['iad1'],
      },
      project: sample.project,
    },
  }),
];
