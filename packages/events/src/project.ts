// Project Events: the six types of the dashboard that only a webhook for all team projects may have.
// A variable's key and value are in no payload.

import { Type } from 'typebox';
import { defineType } from './define.ts';
import { idAndName, nullableString, teamAndUser } from './parts.ts';
import * as sample from './sample.ts';

const projectSchema = Type.Object({ ...teamAndUser, project: idAndName });
const projectSample = { ...sample.teamAndUser, project: sample.namedProject };

const variableSchema = Type.Object({ ...teamAndUser, projectId: Type.String(), envVarId: Type.String() });
const variableSample = { ...sample.teamAndUser, projectId: sample.projectId, envVarId: 'bK7vQ2mZtX9rLw4N' };

export const projectTypes = [
  defineType({
    type: 'project.created',
    label: 'Project Created',
    category: 'Project Events',
    description: 'A project is created in the team.',
    availability: 'both',
    requiresAllProjects: true,
    schema: projectSchema,
    sample: projectSample,
  }),
  defineType({
    type: 'project.removed',
    label: 'Project Removed',
    category: 'Project Events',
    description: 'A project of the team is deleted.',
    availability: 'both',
    requiresAllProjects: true,
    schema: projectSchema,
    sample: projectSample,
  }),
  defineType({
    type: 'project.renamed',
    label: 'Project Renamed',
    category: 'Project Events',
    description: 'A project gets another name.',
    availability: 'both',
    requiresAllProjects: true,
    schema: Type.Object({ ...teamAndUser, project: idAndName, previousName: Type.String() }),
    sample: { ...projectSample, previousName: 'shop' },
  }),
  defineType({
    type: 'project.env-variable.created',
    label: 'Project Environment Variable Created',
    category: 'Project Events',
    description: 'An environment variable is added to a project.',
    availability: 'account',
    requiresAllProjects: true,
    schema: variableSchema,
    sample: variableSample,
  }),
  defineType({
    type: 'project.env-variable.updated',
    label: 'Project Environment Variable Updated',
    category: 'Project Events',
    description: 'An environment variable of a project is changed.',
    availability: 'account',
    requiresAllProjects: true,
    schema: variableSchema,
    sample: variableSample,
  }),
  defineType({
    type: 'project.env-variable.deleted',
    label: 'Project Environment Variable Deleted',
    category: 'Project Events',
    description: 'An environment variable is taken from a project.',
    availability: 'account',
    requiresAllProjects: true,
    schema: Type.Object({ ...teamAndUser, projectId: Type.String(), envVarId: nullableString }),
    sample: variableSample,
  }),
];
