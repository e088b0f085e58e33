// Projects: created, renamed, changed and removed, each with the event it causes in the same commit.
import { ApiError } from '../errors.ts';
import { newProjectId } from '../id.ts';
import {
  deleteProject,
  findEndpointsOf,
  findProject,
  findProjectByName,
  insertProject,
  type ProjectRow,
  renameProject,
  updateProject,
} from '../store/control/projects.ts';
import type { Row } from '../store/control/tables.ts';
import { boundVariables } from '../store/control/variables.ts';
import { type Actor, demand } from './actor.ts';
import type { nodeVersions } from './frameworks.ts';
import { type Caused, commit, type Platform } from './platform.ts';
import { buildVariable, type VariableInput } from './variable-rows.ts';
import { causedBy, mostVariables } from './variables.ts';

/** What a project keeps of the many things that Vercel's has: given back as it was given. */
export interface ProjectSettings {
  buildCommand: string | null;
  commandForIgnoringBuildStep: string | null;
  devCommand: string | null;
  installCommand: string | null;
  outputDirectory: string | null;
  rootDirectory: string | null;
  nodeVersion: (typeof nodeVersions)[number];
  publicSource: boolean | null;
  directoryListing: boolean;
  autoExposeSystemEnvs: boolean;
}

const defaultSettings: ProjectSettings = {
  buildCommand: null,
  commandForIgnoringBuildStep: null,
  devCommand: null,
  installCommand: null,
  outputDirectory: null,
  rootDirectory: null,
  nodeVersion: '24.x',
  publicSource: null,
  directoryListing: false,
  autoExposeSystemEnvs: true,
};

export interface ProjectInput {
  /** Only the operator gives one. */
  id: string | null;
  name: string;
  framework: string | null;
  settings: Partial<ProjectSettings>;
  variables: readonly VariableInput[];
}

export interface ProjectPatch {
  name?: string;
  framework?: string | null;
  settings: Partial<ProjectSettings>;
}

const changed = {
  code: 'conflict',
  message: 'Somebody else changed this project at the same moment. Read it again and repeat the call.',
} as const;

/** The project's settings with defaults for what was never given. */
export function settingsOf(project: ProjectRow): ProjectSettings {
  return { ...defaultSettings, ...keptSettings(project) };
}

/**
 * A project by its id, else by its name.
 * @param scope the one team whose projects the caller may reach; null for all, by id
 * @param nameTeamId the team in which a name is looked for
 * @throws ApiError not_found
 */
export async function needProject(
  platform: Platform,
  idOrName: string,
  scope: string | null,
  nameTeamId: string,
): Promise<ProjectRow> {
  const { store } = platform;
  const project =
    (await findProject(store, idOrName, scope)) ?? (await findProjectByName(store, idOrName, nameTeamId));
  if (project === null) throw new ApiError('not_found', `There is no project ${idOrName}.`);
  return project;
}

/** Creates a project, with variables where the call brought some. */
export async function createProject(
  platform: Platform,
  actor: Actor,
  team: Row<'teams'>,
  input: ProjectInput,
): Promise<ProjectRow> {
  demand(actor, 'projects.write');
  if (input.id !== null && actor.role !== 'OPERATOR')
    throw new ApiError('forbidden', 'Only the operator may choose a project’s id; leave id out.');
  judgeName(input.name);
  const { store } = platform;
  const at = platform.clock.now();
  const project: ProjectRow = {
    id: input.id ?? newProjectId(),
    team_id: team.id,
    name: input.name,
    framework: input.framework,
    settings: JSON.stringify(input.settings),
    created_at: at,
    updated_at: at,
  };
  const variables = input.variables.map((variable) =>
    buildVariable(platform, actor, project, variable, at, 'variables'),
  );
  if (variables.length > 0) demand(actor, 'variables.write');
  await commit(
    platform,
    actor,
    {
      teamId: team.id,
      action: 'project.created',
      subject: project.id,
      detail: { name: project.name, variables: variables.map(({ row }) => ({ id: row.id, key: row.key })) },
      steps: [
        insertProject(store, project),
        ...variables.flatMap(({ steps }) => steps),
        ...(variables.length === 0 ? [] : [boundVariables(store, project.id, mostVariables)]),
      ],
      events: [caused('project.created', project), ...variables.map(({ row }) => causedBy('created', row))],
      at,
    },
    {
      taken: nameTaken(input),
      variables: {
        code: 'ENV_CONFLICT',
        message: 'Two of environmentVariables have one key and share a target; leave one of them out.',
      },
      limit: {
        code: 'bad_request',
        message: `A project has at most ${mostVariables} environment variables.`,
      },
    },
  );
  return project;
}

/** Changes a project; a new name causes `project.renamed`. */
export async function patchProject(
  platform: Platform,
  actor: Actor,
  project: ProjectRow,
  patch: ProjectPatch,
): Promise<ProjectRow> {
  demand(actor, 'projects.write');
  const name = patch.name ?? project.name;
  const renamed = name !== project.name;
  if (renamed) judgeName(name);
  const { store } = platform;
  const at = platform.clock.now();
  const values = {
    framework: patch.framework === undefined ? project.framework : patch.framework,
    settings: JSON.stringify({ ...keptSettings(project), ...patch.settings }),
    updated_at: at,
  };
  const row: ProjectRow = { ...project, ...values, name };
  await commit(
    platform,
    actor,
    {
      teamId: project.team_id,
      action: renamed ? 'project.renamed' : 'project.updated',
      subject: project.id,
      detail: renamed ? { name, previousName: project.name } : { fields: fieldsOf(patch) },
      steps: [
        updateProject(store, project, values),
        ...(renamed ? [renameProject(store, project.id, name)] : []),
      ],
      events: renamed ? [caused('project.renamed', row, { previousName: project.name })] : [],
      at,
    },
    { changed, taken: nameTaken({ id: null, name }) },
  );
  return row;
}

/** Removes a project and its variables. Webhooks that selected it keep its id and get nothing for it. */
export async function removeProject(platform: Platform, actor: Actor, project: ProjectRow): Promise<void> {
  demand(actor, 'projects.write');
  const { store } = platform;
  const at = platform.clock.now();
  await commit(
    platform,
    actor,
    {
      teamId: project.team_id,
      action: 'project.removed',
      subject: project.id,
      detail: { name: project.name },
      steps: deleteProject(store, project),
      events: [caused('project.removed', project)],
      touched: await findEndpointsOf(store, project.id),
      at,
    },
    { changed },
  );
}

function caused(type: string, project: ProjectRow, more: Record<string, unknown> = {}): Caused {
  const { id, name } = project;
  return { type, projectId: id, payload: { project: { id, name }, ...more } };
}

function keptSettings(project: ProjectRow): Partial<ProjectSettings> {
  return JSON.parse(project.settings);
}

function fieldsOf({ framework, settings }: ProjectPatch): string[] {
  return [...(framework === undefined ? [] : ['framework']), ...Object.keys(settings)];
}

function nameTaken({ id, name }: Pick<ProjectInput, 'id' | 'name'>) {
  const orId = id === null ? '' : `, or the id ${id} is taken`;
  return {
    code: 'conflict',
    message: `The team has a project ${name} already${orId}. Choose another name.`,
  } as const;
}

function judgeName(name: string): void {
  if (/^[a-z0-9._-]{1,100}$/.test(name) && !name.includes('---')) return;
  throw new ApiError(
    'bad_request',
    'A project’s name is 1 to 100 lower-case letters, digits, ".", "_" and "-", without "---".',
  );
}
