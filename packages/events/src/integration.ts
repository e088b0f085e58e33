// Integration Events: an integration's installation in a team, its resources, and its part in deployments.

import { Type } from 'typebox';
import { defineType } from './define.ts';
import {
  idAndName,
  installation,
  nullableString,
  optionalTeamAndUser,
  strings,
  teamAndUser,
  withId,
} from './parts.ts';
import * as sample from './sample.ts';

const shared = { category: 'Integration Events', availability: 'integration' } as const;

const configuration = Type.Object({
  id: Type.String(),
  projectSelection: Type.Enum(['all', 'selected']),
  projects: strings,
});
const configurationSample = {
  id: sample.installationId,
  projectSelection: 'selected' as const,
  projects: [sample.projectId],
};

const connection = {
  ...optionalTeamAndUser,
  ...installation,
  resourceId: Type.String(),
  projectId: Type.String(),
  targets: strings,
};
const connectionSample = {
  ...sample.installation,
  resourceId: sample.resourceId,
  projectId: sample.projectId,
  targets: ['production', 'preview'],
};

const describeAction = <const Name extends string>(type: Name, label: string, description: string) =>
  defineType({
    ...shared,
    type,
    label,
    description,
    schema: Type.Object({
      ...optionalTeamAndUser,
      ...installation,
      resourceId: Type.String(),
      action: Type.String(),
      deployment: withId,
    }),
    sample: {
      ...sample.installation,
      resourceId: sample.resourceId,
      action: 'create-branch',
      deployment: { id: sample.deploymentId },
    },
  });

export const integrationTypes = [
  defineType({
    ...shared,
    type: 'integration-configuration.permission-upgraded',
    label: 'Integration Configuration Permission Upgraded',
    description: 'A team changes which projects an installed integration may reach.',
    schema: Type.Object({
      ...teamAndUser,
      configuration,
      projects: Type.Object({ added: strings, removed: strings }),
    }),
    sample: {
      ...sample.teamAndUser,
      configuration: configurationSample,
      projects: { added: [sample.projectId], removed: [] },
    },
  }),
  defineType({
    ...shared,
    type: 'integration-configuration.removed',
    label: 'Integration Configuration Removed',
    description: 'A team uninstalls an integration.',
    schema: Type.Object({ ...teamAndUser, configuration }),
    sample: { ...sample.teamAndUser, configuration: configurationSample },
  }),
  defineType({
    ...shared,
    type: 'integration-configuration.scope-change-confirmed',
    label: 'Integration Configuration Scope Change Confirmed',
    description: 'A team agrees to the changed scopes that an installed integration asks for.',
    schema: Type.Object({
      ...teamAndUser,
      configuration: Type.Object({ id: Type.String(), scopes: strings }),
    }),
    sample: {
      ...sample.teamAndUser,
      configuration: { id: sample.installationId, scopes: ['read:project', 'read-write:deployment'] },
    },
  }),
  defineType({
    ...shared,
    type: 'integration-configuration.transferred',
    label: 'Integration Configuration Transferred',
    description: 'An installation is handed over to another team.',
    schema: Type.Object({
      ...optionalTeamAndUser,
      ...installation,
      previousTeamId: Type.String(),
      newTeamId: Type.String(),
      // Installations from outside the marketplace have no account.
      previousAccountId: Type.Optional(nullableString),
      newAccountId: Type.Optional(nullableString),
    }),
    sample: {
      ...sample.installation,
      previousTeamId: sample.teamId,
      previousAccountId: 'acc_7vKqT2mZr5XnYw4L',
      newTeamId: 'team_9bHcPz3JsDgN5mVxT7kQzR2w',
      newAccountId: 'acc_4wLnY9bHcP2fJs6D',
    },
  }),
  defineType({
    ...shared,
    type: 'integration-resource.project-connected',
    label: 'Integration Resource Project Connected',
    description: "An integration's resource is connected to a project.",
    schema: Type.Object({ ...connection, project: idAndName }),
    sample: { ...connectionSample, project: sample.namedProject },
  }),
  defineType({
    ...shared,
    type: 'integration-resource.project-disconnected',
    label: 'Integration Resource Project Disconnected',
    description: "An integration's resource is disconnected from a project.",
    schema: Type.Object({ ...connection, project: withId }),
    sample: { ...connectionSample, project: sample.project },
  }),
  describeAction(
    'deployment.integration.action.start',
    'Deployment Integration Action Start',
    "An integration's action on a deployment should begin.",
  ),
  describeAction(
    'deployment.integration.action.cancel',
    'Deployment Integration Action Cancel',
    "An integration's action on a deployment, or the deployment itself, is canceled.",
  ),
  describeAction(
    'deployment.integration.action.cleanup',
    'Deployment Integration Action Cleanup',
    'A deployment that an integration acted on is gone for good, and what was made for it can go too.',
  ),
];
