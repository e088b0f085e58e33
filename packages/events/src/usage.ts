// What a team uses up and is warned about: AI Gateway credit, functions on old runtimes, the spending budget.
// Undocumented as events; the budget's fields are those of the separate spend notification.

import { defineType } from './define.ts';
import { looseNumber, looseObject, looseString, outlinePayload } from './parts.ts';
import * as sample from './sample.ts';

const cause = { team: sample.team, user: sample.nobody };

const balanceSchema = outlinePayload({});
const balanceSample = { ...cause, teamId: sample.teamId };

const functionSchema = outlinePayload({ deployment: looseObject, deploymentId: looseString });
const functionSample = {
  ...cause,
  project: sample.project,
  projectId: sample.projectId,
  deploymentId: sample.earlierDeploymentId,
};

export const aiGatewayTypes = [
  defineType({
    type: 'ai-gateway.balance-depleted',
    label: 'AI Gateway Balance Depleted',
    category: 'AI Gateway Events',
    description: "The team's AI Gateway credit is used up.",
    availability: 'account',
    documented: false,
    schema: balanceSchema,
    sample: balanceSample,
  }),
  defineType({
    type: 'ai-gateway.auto-reload.limit-reached',
    label: 'AI Gateway Auto Reload Limit Reached',
    category: 'AI Gateway Events',
    description: 'Automatic reloading of AI Gateway credit stops at the limit the team has set.',
    availability: 'account',
    documented: false,
    schema: balanceSchema,
    sample: balanceSample,
  }),
];

export const functionTypes = [
  defineType({
    type: 'function.archival-required',
    label: 'Function Archival Required',
    category: 'Function Events',
    description: 'Functions of a deployment are due to be archived.',
    availability: 'account',
    documented: false,
    schema: functionSchema,
    sample: functionSample,
  }),
  defineType({
    type: 'function.removal-required',
    label: 'Function Removal Required',
    category: 'Function Events',
    description: 'Functions of a deployment are due to be removed.',
    availability: 'account',
    documented: false,
    schema: functionSchema,
    sample: functionSample,
  }),
];

export const budgetTypes = [
  defineType({
    type: 'budget.reached',
    label: 'Budget Reached',
    category: 'Budget Events',
    description: "The team's spending passes a threshold of its budget.",
    availability: 'account',
    documented: false,
    schema: outlinePayload({
      budgetAmount: looseNumber,
      currentSpend: looseNumber,
      thresholdPercent: looseNumber,
    }),
    sample: {
      ...cause,
      teamId: sample.teamId,
      budgetAmount: 500,
      currentSpend: 376.42,
      thresholdPercent: 75,
    },
  }),
];
