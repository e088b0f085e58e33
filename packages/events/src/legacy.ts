// Legacy Events: the deprecated hyphenated types. They name no team and no user in the payload: their envelope
// does (LegacyFields in catalogue.ts). Each description names the type that has replaced it.

import { Type } from 'typebox';
import { defineType } from './define.ts';
import {
  deployment,
  deploymentLinks,
  idAndName,
  observedOnDeployments,
  strings,
  target,
  withId,
} from './parts.ts';
import * as sample from './sample.ts';

const shared = { category: 'Legacy Events', legacy: true } as const;

const deploymentFields = {
  deployment,
  // The oldest recording has none.
  links: Type.Optional(deploymentLinks),
  target,
  projectId: Type.String(),
  plan: Type.String(),
  regions: strings,
  deploymentId: Type.Optional(Type.String()),
  ...observedOnDeployments,
};
const projectSchema = Type.Object({ project: idAndName });
const projectSample = { project: sample.namedProject };

const describeDeployment = <const Name extends string>(type: Name, label: string, description: string) =>
  defineType({
    ...shared,
    type,
    label,
    description,
    availability: 'both',
    schema: Type.Object(deploymentFields),
    sample: sample.legacyDeploymentPayload,
  });

export const legacyTypes = [
  defineType({
    ...shared,
    type: 'deployment',
    label: 'Deployment (legacy)',
    description: 'A new deployment begins; now deployment.created.',
    availability: 'both',
    schema: Type.Object({ ...deploymentFields, alias: strings }),
    sample: { ...sample.legacyDeploymentPayload, alias: sample.aliases },
  }),
  describeDeployment(
    'deployment-ready',
    'Deployment Ready (legacy)',
    'A deployment is built and its blocking checks have passed; now deployment.succeeded.',
  ),
  describeDeployment(
    'deployment-prepared',
    'Deployment Prepared (legacy)',
    'A deployment is built and its checks may begin; now deployment.ready.',
  ),
  describeDeployment(
    'deployment-error',
    'Deployment Error (legacy)',
    'A deployment has failed; now deployment.error.',
  ),
  describeDeployment(
    'deployment-canceled',
    'Deployment Cancelled (legacy)',
    'A deployment is stopped before it is done; now deployment.canceled.',
  ),
  defineType({
    ...shared,
    type: 'deployment-check-rerequested',
    label: 'Deployment Check Rerequested (legacy)',
    description: 'Somebody asks for a failed check to run again; now deployment.check-rerequested.',
    availability: 'integration',
    schema: Type.Object({ deployment: withId, check: withId }),
    sample: { deployment: { id: sample.deploymentId }, check: { id: sample.checkId } },
  }),
  defineType({
    ...shared,
    type: 'deployment-checks-completed',
    label: 'Deployment Checks Completed (legacy)',
    description: 'All checks on a deployment have ended, passed or not; deployment.succeeded serves instead.',
    availability: 'integration',
    schema: Type.Object({
      deployment: withId,
      checks: Type.Array(
        Type.Object({
          id: Type.String(),
          name: Type.String(),
          status: Type.Enum(['registered', 'running', 'completed']),
          conclusion: Type.Enum(['cancelled', 'failed', 'neutral', 'succeeded', 'skipped']),
          blocking: Type.Boolean(),
          integrationId: Type.String(),
        }),
      ),
    }),
    sample: {
      deployment: { id: sample.deploymentId },
      checks: [
        {
          id: sample.checkId,
          name: 'End-to-end tests',
          status: 'completed',
          conclusion: 'succeeded',
          blocking: true,
          integrationId: sample.integrationId,
        },
      ],
    },
  }),
  defineType({
    ...shared,
    type: 'project-created',
    label: 'Project Created (legacy)',
    description: 'A project is created; now project.created.',
    availability: 'both',
    requiresAllProjects: true,
    schema: projectSchema,
    sample: projectSample,
  }),
  defineType({
    ...shared,
    type: 'project-removed',
    label: 'Project Removed (legacy)',
    description: 'A project is deleted; now project.removed.',
    availability: 'both',
    requiresAllProjects: true,
    schema: projectSchema,
    sample: projectSample,
  }),
  defineType({
    ...shared,
    type: 'domain-created',
    label: 'Domain Created (legacy)',
    description: 'A domain is added to the team; now domain.created.',
    availability: 'both',
    schema: Type.Object({
      domain: Type.Object({
        name: Type.String(),
        // Documented as a string here, as a boolean in domain.created.
        delegated: Type.Unsafe<string | boolean>({ type: ['string', 'boolean'] }),
      }),
    }),
    sample: { domain: { name: sample.domainName, delegated: false } },
  }),
  defineType({
    ...shared,
    type: 'integration-configuration-permission-updated',
    label: 'Integration Configuration Permission Updated (legacy)',
    description:
      'A team changes which projects an integration may reach; now integration-configuration.permission-upgraded.',
    availability: 'integration',
    schema: Type.Object({
      configuration: Type.Object({
        id: Type.String(),
        projectSelection: Type.Enum(['all', 'selected']),
        projects: strings,
      }),
      projects: Type.Object({ added: strings, removed: strings }),
    }),
    sample: {
      configuration: {
        id: sample.installationId,
        projectSelection: 'selected',
        projects: [sample.projectId],
      },
      projects: { added: [sample.projectId], removed: [] },
    },
  }),
  defineType({
    ...shared,
    type: 'integration-configuration-removed',
    label: 'Integration Configuration Removed (legacy)',
    description: 'A team uninstalls an integration; now integration-configuration.removed.',
    availability: 'integration',
    schema: Type.Object({ configuration: Type.Object({ id: Type.String(), projects: strings }) }),
    sample: { configuration: { id: sample.installationId, projects: [sample.projectId] } },
  }),
  defineType({
    ...shared,
    type: 'integration-configuration-scope-change-confirmed',
    label: 'Integration Configuration Scope Change Confirmed (legacy)',
    description:
      'A team agrees to changed scopes of an integration; now integration-configuration.scope-change-confirmed.',
    availability: 'integration',
    schema: Type.Object({ configuration: Type.Object({ id: Type.String(), scopes: strings }) }),
    sample: {
      configuration: { id: sample.installationId, scopes: ['read:project', 'read-write:deployment'] },
    },
  }),
];
