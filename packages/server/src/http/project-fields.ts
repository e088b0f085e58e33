// What a project looks like in bodies and answers: all that Vercel's SDK insists on.
import { type Static, Type } from 'typebox';
import { frameworks, nodeVersions } from '../platform/frameworks.ts';
import { type ProjectSettings, settingsOf } from '../platform/projects.ts';
import type { ProjectRow } from '../store/control/projects.ts';
import { Choice, NullableText } from './fields.ts';

const Command = Type.Union([Type.String({ maxLength: 256 }), Type.Null()]);
export const Framework = Choice([...frameworks, null]);
const NodeVersion = Choice(nodeVersions);
export const Settings = Type.Object({
  buildCommand: Type.Optional(Command),
  commandForIgnoringBuildStep: Type.Optional(Command),
  devCommand: Type.Optional(Command),
  installCommand: Type.Optional(Command),
  outputDirectory: Type.Optional(Command),
  rootDirectory: Type.Optional(Command),
  nodeVersion: Type.Optional(NodeVersion),
  publicSource: Type.Optional(Type.Union([Type.Boolean(), Type.Null()])),
  directoryListing: Type.Optional(Type.Boolean()),
  autoExposeSystemEnvs: Type.Optional(Type.Boolean()),
});
export const ProjectName = Type.String({ maxLength: 256 });
const ResourceConfig = Type.Object({ functionDefaultRegions: Type.Array(Type.String()) });
export const Project = Type.Object({
  id: Type.String(),
  accountId: Type.String(),
  name: Type.String(),
  framework: NullableText,
  buildCommand: NullableText,
  commandForIgnoringBuildStep: NullableText,
  devCommand: NullableText,
  installCommand: NullableText,
  outputDirectory: NullableText,
  rootDirectory: NullableText,
  nodeVersion: Type.String(),
  publicSource: Type.Union([Type.Boolean(), Type.Null()]),
  directoryListing: Type.Boolean(),
  autoExposeSystemEnvs: Type.Boolean(),
  serverlessFunctionRegion: Type.Null(),
  live: Type.Boolean(),
  alias: Type.Array(Type.String()),
  targets: Type.Object({}),
  latestDeployments: Type.Array(Type.Object({})),
  deploymentExpiration: Type.Object({}),
  defaultResourceConfig: ResourceConfig,
  resourceConfig: ResourceConfig,
  createdAt: Type.Number(),
  updatedAt: Type.Number(),
});

/** Those of the body's fields that are settings. */
export function readSettings(body: Static<typeof Settings>): Partial<ProjectSettings> {
  const given = Object.keys(Settings.properties)
    .map((key) => [key, (body as Record<string, unknown>)[key]] as const)
    .filter(([, value]) => value !== undefined);
  return Object.fromEntries(given) as Partial<ProjectSettings>;
}

export function showProject(project: ProjectRow) {
  return {
    id: project.id,
    accountId: project.team_id,
    name: project.name,
    framework: project.framework,
    ...settingsOf(project),
    serverlessFunctionRegion: null,
    live: false,
    alias: [],
    targets: {},
    latestDeployments: [],
    deploymentExpiration: {},
    defaultResourceConfig: { functionDefaultRegions: [] },
    resourceConfig: { functionDefaultRegions: [] },
    createdAt: project.created_at,
    updatedAt: project.updated_at,
  };
}
