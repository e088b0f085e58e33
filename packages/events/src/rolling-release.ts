// Rolling Release Events: a deployment that takes over production in stages.

import { type Static, Type } from 'typebox';
import { defineType } from './define.ts';
import { strings, teamAndUser } from './parts.ts';
import * as sample from './sample.ts';

const rollingRelease = Type.Object({
  projectId: Type.String(),
  ownerId: Type.String(),
  deploymentIds: strings,
  state: Type.Enum(['ACTIVE', 'COMPLETE', 'ABORTED']),
  activeStageIndex: Type.Number(),
  default: Type.Object({
    baseDeploymentId: Type.String(),
    targetDeploymentId: Type.String(),
    // Absent once the release is aborted.
    targetPercentage: Type.Optional(Type.Number()),
    targetStartAt: Type.Number(),
    targetUpdatedAt: Type.Number(),
  }),
  config: Type.Object({
    target: Type.String(),
    stages: Type.Array(
      Type.Object({ targetPercentage: Type.Number(), requireApproval: Type.Optional(Type.Boolean()) }),
    ),
  }),
  writtenBy: Type.String(),
});

const schema = Type.Object({
  ...teamAndUser,
  // Recordings have the id alone, and the name as `projectName`.
  project: Type.Object({ id: Type.String(), name: Type.Optional(Type.String()) }),
  projectId: Type.Optional(Type.String()),
  projectName: Type.Optional(Type.String()),
  userId: Type.Optional(Type.String()),
  rollingRelease,
  // Absent, or empty, for a project's first release.
  prevRollingRelease: Type.Optional(Type.Partial(rollingRelease)),
});

type RollingRelease = Static<typeof rollingRelease>;

const started: RollingRelease = {
  projectId: sample.projectId,
  ownerId: sample.teamId,
  deploymentIds: [sample.earlierDeploymentId, sample.deploymentId],
  state: 'ACTIVE',
  activeStageIndex: 0,
  default: {
    baseDeploymentId: sample.earlierDeploymentId,
    targetDeploymentId: sample.deploymentId,
    targetPercentage: 10,
    targetStartAt: sample.happenedAt,
    targetUpdatedAt: sample.happenedAt,
  },
  config: {
    target: 'production',
    stages: [
      { targetPercentage: 10, requireApproval: true },
      { targetPercentage: 50, requireApproval: true },
      { targetPercentage: 100 },
    ],
  },
  writtenBy: 'deployment-ready',
};
const approvedAt = sample.happenedAt + 600_000;
const approved: RollingRelease = {
  ...started,
  activeStageIndex: 1,
  default: { ...started.default, targetPercentage: 50, targetUpdatedAt: approvedAt },
  writtenBy: 'stage-1-approval',
};
const completed: RollingRelease = {
  ...approved,
  state: 'COMPLETE',
  activeStageIndex: 2,
  default: { ...approved.default, targetPercentage: 100, targetUpdatedAt: approvedAt + 600_000 },
  writtenBy: 'finalize-rolling-release',
};
const aborted: RollingRelease = {
  ...started,
  state: 'ABORTED',
  default: {
    baseDeploymentId: sample.earlierDeploymentId,
    targetDeploymentId: sample.deploymentId,
    targetStartAt: sample.happenedAt,
    targetUpdatedAt: approvedAt,
  },
  writtenBy: 'assign-alias',
};

const describe = <const Name extends string>(
  type: Name,
  label: string,
  description: string,
  releases: { rollingRelease: RollingRelease; prevRollingRelease?: RollingRelease },
) =>
  defineType({
    type,
    label,
    category: 'Rolling Release Events',
    description,
    availability: 'account',
    schema,
    sample: {
      ...sample.teamAndUser,
      project: sample.namedProject,
      projectId: sample.projectId,
      projectName: sample.projectName,
      userId: sample.userId,
      ...releases,
    },
  });

export const rollingReleaseTypes = [
  describe(
    'project.rolling-release.started',
    'Project Rolling Release Started',
    'A rolling release begins to send a part of the traffic to a new deployment.',
    { rollingRelease: started },
  ),
  describe(
    'project.rolling-release.approved',
    'Project Rolling Release Approved',
    'A stage of a rolling release is approved and the next one begins.',
    { rollingRelease: approved, prevRollingRelease: started },
  ),
  describe(
    'project.rolling-release.completed',
    'Project Rolling Release Completed',
    'A rolling release has reached all traffic.',
    { rollingRelease: completed, prevRollingRelease: approved },
  ),
  describe(
    'project.rolling-release.aborted',
    'Project Rolling Release Aborted',
    'A rolling release is given up and the earlier deployment keeps the traffic.',
    { rollingRelease: aborted, prevRollingRelease: started },
  ),
];
