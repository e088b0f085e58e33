// Project Domain Events: domains as they are tied to a project. The domain's own life is in domain.ts.

import { Type } from 'typebox';
import { defineType } from './define.ts';
import { nullableString, teamAndUser, withId } from './parts.ts';
import * as sample from './sample.ts';

const domain = Type.Object({ name: Type.String() });
const settings = Type.Object({
  domain: Type.String(),
  redirect: nullableString,
  redirectStatusCode: Type.Unsafe<number | null>({ type: ['number', 'null'] }),
  gitBranch: nullableString,
});
const domainSample = { name: `www.${sample.domainName}` };

const describe = <const Name extends string>(type: Name, label: string, description: string) =>
  defineType({
    type,
    label,
    category: 'Project Domain Events',
    description,
    availability: 'account',
    schema: Type.Object({ ...teamAndUser, project: withId, domain }),
    sample: { ...sample.teamAndUser, project: sample.project, domain: domainSample },
  });

export const projectDomainTypes = [
  describe('project.domain.created', 'Project Domain Created', 'A domain is added to a project.'),
  defineType({
    type: 'project.domain.updated',
    label: 'Project Domain Updated',
    category: 'Project Domain Events',
    description: "A project domain's redirect or git branch is changed.",
    availability: 'account',
    schema: Type.Object({ ...teamAndUser, project: withId, previous: settings, next: settings }),
    sample: {
      ...sample.teamAndUser,
      project: sample.project,
      previous: { domain: domainSample.name, redirect: null, redirectStatusCode: null, gitBranch: null },
      next: {
        domain: domainSample.name,
        redirect: sample.domainName,
        redirectStatusCode: 308,
        gitBranch: null,
      },
    },
  }),
  describe('project.domain.deleted', 'Project Domain Deleted', 'A domain is removed from a project.'),
  describe('project.domain.verified', 'Project Domain Verified', "A project domain's ownership is proven."),
  describe(
    'project.domain.unverified',
    'Project Domain Unverified',
    "A project domain's ownership can no longer be proven.",
  ),
  defineType({
    type: 'project.domain.moved',
    label: 'Project Domain Moved',
    category: 'Project Domain Events',
    description: 'A domain moves from one project to another.',
    availability: 'account',
    schema: Type.Object({
      ...teamAndUser,
      domain,
      from: Type.Object({ projectId: Type.String() }),
      to: Type.Object({ projectId: Type.String() }),
      isRedirect: Type.Boolean(),
    }),
    sample: {
      ...sample.teamAndUser,
      domain: domainSample,
      from: { projectId: sample.projectId },
      to: { projectId: 'prj_3mVxT7kQzR5wLnY9bHc2PfJs6DgN' },
      isRedirect: false,
    },
  }),
];
