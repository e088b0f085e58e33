// What Vercel documents of each payload, written down once more and apart from the schemas: exactly these
// fields are required. `[]` stands for every item of a list.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { eventTypes } from './index.ts';

interface Node {
  required?: string[];
  properties?: Record<string, Node>;
  items?: Node;
}

/** The paths of the fields that `node` requires, each down to where the schema says no more. */
function requiredFields(node: Node, path = ''): string[] {
  if (node.items?.properties) return requiredFields(node.items, `${path}[]`);
  if (!node.properties) return [path];
  return (node.required ?? []).flatMap((key) =>
    requiredFields(node.properties?.[key] ?? {}, path === '' ? key : `${path}.${key}`),
  );
}

const teamAndUser = 'team.id user.id';
const legacyDeployment =
  'deployment.id deployment.meta deployment.url deployment.name target projectId plan regions';
const links = 'links.deployment links.project';
const promotion = `${teamAndUser} deployment.id deployment.meta deployment.url deployment.name ${links} project.id plan regions`;
const deployment = `${promotion} target`;
const installation = 'configuration.id installationId';
const action = `${installation} resourceId action deployment.id`;
const connection = `${installation} resourceId projectId targets project.id`;
const invoice = `${installation} invoiceId externalInvoiceId period.start period.end`;
const issued = `${invoice} invoiceDate invoiceTotal`;
const project = `${teamAndUser} project.id project.name`;
const variable = `${teamAndUser} projectId envVarId`;
const domain = `${teamAndUser} domain.name`;
const configuration = 'configuration.id configuration.projectSelection configuration.projects';
const settings = ['domain', 'redirect', 'redirectStatusCode', 'gitBranch'];
const releaseState =
  'projectId ownerId deploymentIds state activeStageIndex writtenBy config.target config.stages[].targetPercentage';
const releaseDefault = 'baseDeploymentId targetDeploymentId targetStartAt targetUpdatedAt';
const within = (parent: string, fields: string) =>
  fields
    .split(' ')
    .map((field) => `${parent}.${field}`)
    .join(' ');
const release = `${teamAndUser} project.id ${within('rollingRelease', releaseState)} ${within('rollingRelease.default', releaseDefault)}`;
const alert = 'startedAt title unit formattedValues count average stddev zscore zscoreThreshold alertId type';
const alerts = `teamId projectId startedAt links.observability projectSlug teamSlug ${within('alerts[]', alert)}`;

const documented: Record<string, string> = {
  'deployment.created': `${deployment} alias`,
  'deployment.ready': deployment,
  'deployment.succeeded': deployment,
  'deployment.error': deployment,
  'deployment.canceled': deployment,
  'deployment.promoted': promotion,
  'deployment.rollback': `${teamAndUser} project.id fromDeploymentId toDeploymentId`,
  'deployment.check-rerequested': `${teamAndUser} deployment.id check.id`,
  'deployment.cleanup': `${teamAndUser} project.id ${within('deployment', 'id meta url name alias target regions')}`,
  'deployment.integration.action.start': action,
  'deployment.integration.action.cancel': action,
  'deployment.integration.action.cleanup': action,
  'domain.created': `${domain} domain.delegated`,
  'domain.auto-renew.changed': `${domain} previous next`,
  'domain.certificate.add': `${teamAndUser} cert`,
  'domain.certificate.renew': `${teamAndUser} cert`,
  'domain.certificate.deleted': `${teamAndUser} cert`,
  'domain.certificate.add.failed': `${teamAndUser} dnsNames`,
  'domain.certificate.renew.failed': `${teamAndUser} dnsNames`,
  'domain.dns.records.changed': `${teamAndUser} zone changes`,
  'domain.renewal': `${domain} price expirationDate renewedAt`,
  'domain.renewal.failed': `${domain} errorReason failedAt`,
  'domain.transfer-in.started': domain,
  'domain.transfer-in.completed': domain,
  'domain.transfer-in.failed': domain,
  'project.domain.created': `${domain} project.id`,
  'project.domain.deleted': `${domain} project.id`,
  'project.domain.verified': `${domain} project.id`,
  'project.domain.unverified': `${domain} project.id`,
  'project.domain.moved': `${domain} from.projectId to.projectId isRedirect`,
  'project.domain.updated': `${teamAndUser} project.id ${within('previous', settings.join(' '))} ${within('next', settings.join(' '))}`,
  'integration-configuration.permission-upgraded': `${teamAndUser} ${configuration} projects.added projects.removed`,
  'integration-configuration.removed': `${teamAndUser} ${configuration}`,
  'integration-configuration.scope-change-confirmed': `${teamAndUser} configuration.id configuration.scopes`,
  'integration-configuration.transferred': `${installation} previousTeamId newTeamId`,
  'integration-resource.project-connected': `${connection} project.name`,
  'integration-resource.project-disconnected': connection,
  'marketplace.invoice.created': issued,
  'marketplace.invoice.paid': issued,
  'marketplace.invoice.notpaid': issued,
  'marketplace.invoice.overdue': issued,
  'marketplace.invoice.refunded': `${invoice} amount reason`,
  'marketplace.member.changed': `${installation} memberId role`,
  'alerts.triggered': `${alerts} alerts[].metric`,
  'observability.usage-anomaly': alerts,
  'observability.error-anomaly': alerts,
  'project.created': project,
  'project.removed': project,
  'project.renamed': `${project} previousName`,
  'project.env-variable.created': variable,
  'project.env-variable.updated': variable,
  'project.env-variable.deleted': variable,
  'project.rolling-release.started': release,
  'project.rolling-release.approved': release,
  'project.rolling-release.completed': release,
  'project.rolling-release.aborted': release,
  deployment: `${legacyDeployment} alias`,
  'deployment-ready': legacyDeployment,
  'deployment-prepared': legacyDeployment,
  'deployment-error': legacyDeployment,
  'deployment-canceled': legacyDeployment,
  'deployment-check-rerequested': 'deployment.id check.id',
  'deployment-checks-completed': `deployment.id ${within('checks[]', 'id name status conclusion blocking integrationId')}`,
  'project-created': 'project.id project.name',
  'project-removed': 'project.id project.name',
  'domain-created': 'domain.name domain.delegated',
  'integration-configuration-permission-updated': `${configuration} projects.added projects.removed`,
  'integration-configuration-removed': 'configuration.id configuration.projects',
  'integration-configuration-scope-change-confirmed': 'configuration.id configuration.scopes',
};

test('exactly the documented types are marked so', () => {
  assert.deepEqual(
    eventTypes
      // Posthorn's own have no documentation but this.
      .filter((entry) => entry.documented && !entry.type.startsWith('posthorn.'))
      .map((entry) => entry.type)
      .toSorted(),
    Object.keys(documented).toSorted(),
  );
});

test('a documented payload requires exactly its documented fields', () => {
  for (const { type, schema } of eventTypes) {
    const fields = documented[type];
    if (fields === undefined) continue;
    assert.deepEqual(requiredFields(schema).toSorted(), fields.split(' ').toSorted(), type);
  }
});
