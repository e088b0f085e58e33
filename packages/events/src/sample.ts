// The one imaginary team whose life the samples tell: its ids in the form the real ones have, its project, and
// one deployment of it. Samples carry no integer-like key, so that they survive a JSON round trip byte for byte.

export const teamId = 'team_R4tVqk2LmX8sPz6YbN1cHwGd';
export const userId = 'Jx5rT9bQe2WnKf7LzP3vMh8C';
export const projectId = 'prj_8sKqW3nVtYp5ZxR2mLc7BdHf9JgT';
export const projectName = 'storefront';
export const deploymentId = 'dpl_5vNzK8rGqW2mXtY7bLp4HcJd3FsR';
export const earlierDeploymentId = 'dpl_2bRfT6yMxC9wQkV4nHs8ZpLg7DjK';
export const integrationId = 'oac_w9PzL3kVtQ5mYc7RbXn2HsGd';
export const installationId = 'icfg_m4TqX8vBzK2rYw6LpNc9HsJd';
export const resourceId = 'res_7hQvN2kRtX5z';
export const checkId = 'check_4qWnT8vKzL2rXm6Y';
export const domainName = 'acme-store.example';
/** 2026-03-02T09:30:00.000Z */
export const happenedAt = 1772443800000;

export const team = { id: teamId };
const user = { id: userId };
/** The user of an event that no person caused. */
export const nobody = { id: null };
export const teamAndUser = { team, user };
export const project = { id: projectId };
export const namedProject = { id: projectId, name: projectName };
export const installation = { configuration: { id: installationId }, installationId };

const branchAlias = 'storefront-git-main-acme.vercel.app';
const deploymentUrl = 'storefront-k3v9x2q8d-acme.vercel.app';
const inspectorUrl = 'https://vercel.com/acme/storefront/5vNzK8rGqW2mXtY7bLp4HcJd3FsR';

export const aliases = ['storefront-acme.vercel.app', branchAlias];

const meta = {
  githubCommitAuthorName: 'Ada Moreau',
  githubCommitMessage: 'Show delivery times in the cart',
  githubCommitOrg: 'acme',
  githubCommitRef: 'main',
  githubCommitRepo: 'storefront',
  githubCommitSha: '9f4c1b7ae25d80c3f6e1d94ba7720c58e3f1a6d2',
  githubDeployment: '1',
  githubOrg: 'acme',
  githubRepo: 'storefront',
  githubRepoOwnerType: 'Organization',
  githubCommitRepoId: '614820357',
  githubRepoId: '614820357',
  githubRepoVisibility: 'private',
  githubCommitAuthorLogin: 'ada-moreau',
  branchAlias,
};

export const deployment = { id: deploymentId, meta, name: projectName, url: deploymentUrl, inspectorUrl };

const deploymentFields = {
  deployment,
  links: { deployment: inspectorUrl, project: 'https://vercel.com/acme/storefront' },
  name: projectName,
  plan: 'pro',
  regions: ['iad1'],
  url: deploymentUrl,
};

/** What the payload of a deployment event holds; a promotion has no target and no type. */
export const promotedPayload = { user, team, ...deploymentFields, project };
export const deploymentPayload = { ...promotedPayload, target: 'production' as const, type: 'LAMBDAS' };
/** The same of the legacy types: no team, no user, and the project by its id alone. */
export const legacyDeploymentPayload = {
  ...deploymentFields,
  projectId,
  target: 'production' as const,
  type: 'LAMBDAS',
};
