// Holds the catalogue to what is known of Vercel's: the names, the dashboard's labels and groups, the spellings;
// and holds every schema and sample to each other.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CreateWebhookEvents } from '@vercel/sdk/models/createwebhookop.js';
import { Ajv } from 'ajv';
import { canonicalType, categories, eventTypes, eventTypesByName, hyphenSpellings } from './index.ts';

// `strict` refuses keywords that are not JSON Schema's own.
const ajv = new Ajv({ strict: true, allowUnionTypes: true });

const names = `
  budget.reached domain.created domain.dns.records.changed
  domain.transfer-in.started domain.transfer-in.completed domain.transfer-in.failed
  domain.certificate.add domain.certificate.add.failed domain.certificate.renew domain.certificate.renew.failed
  domain.certificate.deleted domain.renewal domain.renewal.failed domain.auto-renew.changed
  deployment.created deployment.build-requested deployment.cleanup deployment.error deployment.blocked
  deployment.canceled deployment.succeeded deployment.ready deployment.check-rerequested deployment.promoted
  deployment.rollback deployment.integration.action.start deployment.integration.action.cancel
  deployment.integration.action.cleanup deployment.checkrun.start deployment.checkrun.cancel
  deployment.checks.failed deployment.checks.succeeded
  edge-config.created edge-config.deleted edge-config.items.updated
  firewall.attack firewall.system-rule-anomaly firewall.custom-rule-anomaly
  function.archival-required function.removal-required alerts.triggered
  integration-configuration.permission-upgraded integration-configuration.removed
  integration-configuration.scope-change-confirmed integration-configuration.transferred
  integration-resource.project-connected integration-resource.project-disconnected
  project.created project.removed project.renamed
  project.env-variable.created project.env-variable.updated project.env-variable.deleted
  project.domain.created project.domain.updated project.domain.deleted project.domain.verified
  project.domain.unverified project.domain.moved
  project.rolling-release.started project.rolling-release.aborted project.rolling-release.completed
  project.rolling-release.approved marketplace.member.changed
  marketplace.invoice.created marketplace.invoice.paid marketplace.invoice.notpaid marketplace.invoice.overdue
  marketplace.invoice.refunded ai-gateway.balance-depleted ai-gateway.auto-reload.limit-reached
  observability.anomaly observability.anomaly-error observability.usage-anomaly observability.error-anomaly
  botid.anomaly flag.created flag.updated flag.deleted flag.segment.created flag.segment.updated
  flag.segment.deleted test-webhook
  message.created message.updated message.deleted message.reaction-added message.reaction-removed
  message.mentioned thread.resolved thread.unresolved
  comment.created comment.updated comment.deleted comment.resolved comment.unresolved comment.reaction-added
  comment.reaction-removed comment.mentioned
`
  .trim()
  .split(/\s+/);

const legacyNames = `
  deployment deployment-ready deployment-prepared deployment-error deployment-canceled
  deployment-check-rerequested deployment-checks-completed project-created project-removed domain-created
  integration-configuration-permission-updated integration-configuration-removed
  integration-configuration-scope-change-confirmed
`
  .trim()
  .split(/\s+/);

/** What Posthorn says itself, which Vercel does not have. */
const ownNames = ['posthorn.webhook.failing', 'posthorn.webhook.disabled'];

/** The dashboard's own rows: label → type, by group. */
const dashboard: Record<string, Record<string, string>> = {
  'Deployment Events': {
    'Deployment Created': 'deployment.created',
    'Deployment Succeeded': 'deployment.succeeded',
    'Deployment Promoted': 'deployment.promoted',
    'Deployment Error': 'deployment.error',
    'Deployment Cancelled': 'deployment.canceled',
  },
  'Project Events': {
    'Project Created': 'project.created',
    'Project Removed': 'project.removed',
    'Project Renamed': 'project.renamed',
    'Project Environment Variable Created': 'project.env-variable.created',
    'Project Environment Variable Updated': 'project.env-variable.updated',
    'Project Environment Variable Deleted': 'project.env-variable.deleted',
  },
  'Firewall events': { 'Attack Detected': 'firewall.attack' },
};

type Json = null | boolean | number | string | Json[] | { [key: string]: Json };
type Path = (string | number)[];
interface Node {
  type?: string | string[];
  enum?: Json[];
  required?: string[];
  properties?: Record<string, Node>;
  items?: Node;
}

const isRecord = (value: unknown): value is Record<string, Json> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** Every place of `value` that `node` describes, with its part of the schema. */
function* walk(node: Node, value: Json, path: Path = []): Generator<{ path: Path; node: Node; value: Json }> {
  yield { path, node, value };
  if (isRecord(value)) {
    for (const [key, child] of Object.entries(node.properties ?? {})) {
      const inner = value[key];
      if (inner !== undefined) yield* walk(child, inner, [...path, key]);
    }
  }
  if (Array.isArray(value) && node.items) {
    for (const [index, inner] of value.entries()) yield* walk(node.items, inner, [...path, index]);
  }
}

/** A copy of `value` with `replacement` at the place `path`, or without that place if it is undefined. */
function replaceAt(value: Json, path: Path, replacement: Json | undefined): Json | undefined {
  const [step, ...rest] = path;
  if (step === undefined) return replacement;
  if (Array.isArray(value)) {
    return value.map((inner, index) =>
      index === step ? (replaceAt(inner, rest, replacement) ?? null) : inner,
    );
  }
  if (!isRecord(value)) return value;
  const copy: Record<string, Json> = {};
  for (const [key, inner] of Object.entries(value)) {
    const kept = key === step ? replaceAt(inner, rest, replacement) : inner;
    if (kept !== undefined) copy[key] = kept;
  }
  return copy;
}

const copyOf = (sample: object): Json => JSON.parse(JSON.stringify(sample));

const cases = eventTypes.map((entry) => ({ entry, validate: ajv.compile(entry.schema) }));

const judge = (type: string, change: object): boolean => {
  const found = cases.find(({ entry }) => entry.type === type);
  assert.ok(found, type);
  return found.validate({ ...found.entry.sample, ...change });
};

test('the catalogue has exactly Vercel’s 112 names and Posthorn’s own, each once', () => {
  assert.equal(names.length + legacyNames.length, 112);
  assert.equal(eventTypes.length, 114);
  assert.deepEqual(
    eventTypes.map((entry) => entry.type).toSorted(),
    [...names, ...legacyNames, ...ownNames].toSorted(),
  );
  assert.equal(eventTypesByName.size, 114);
  for (const entry of eventTypes) assert.equal(eventTypesByName.get(entry.type), entry);
});

test("Vercel's names are the closed enum of its SDK", () => {
  assert.deepEqual([...names, ...legacyNames].toSorted(), Object.values(CreateWebhookEvents).toSorted());
});

test("the dashboard's groups come first and hold its rows and no others", () => {
  assert.deepEqual(categories.slice(0, 3), Object.keys(dashboard));
  for (const [category, rows] of Object.entries(dashboard)) {
    const entries = eventTypes.filter((entry) => entry.category === category);
    assert.deepEqual(Object.fromEntries(entries.map((entry) => [entry.label, entry.type])), rows);
  }
});

test('types stand in the order of their categories, and no category is empty or listed twice', () => {
  const inOrder = eventTypes.map((entry) => entry.category);
  assert.deepEqual(
    inOrder.filter((category, index) => category !== inOrder[index - 1]),
    categories,
  );
});

test('no two labels of a category are equal, and every type says in one line when it happens', () => {
  const seen = new Set<string>();
  for (const { category, label, type, description } of eventTypes) {
    assert.ok(!seen.has(`${category}/${label}`), label);
    seen.add(`${category}/${label}`);
    assert.match(description, /^[A-Z][^\n]{10,110}\.$/, type);
  }
});

test('exactly the hyphenated types of old are legacy', () => {
  const legacy = eventTypes.filter((entry) => entry.legacy).map((entry) => entry.type);
  assert.deepEqual(legacy.toSorted(), legacyNames.toSorted());
  for (const type of legacy) assert.equal(eventTypesByName.get(type)?.category, 'Legacy Events');
});

test('exactly the Project Events and their two legacy forms need All Team Projects', () => {
  const restricted = eventTypes.filter((entry) => entry.requiresAllProjects).map((entry) => entry.type);
  assert.deepEqual(
    restricted.toSorted(),
    [...Object.values(dashboard['Project Events'] ?? {}), 'project-created', 'project-removed'].toSorted(),
  );
});

test('what only integrations are offered is what belongs to an installation or to checks', () => {
  const integration = eventTypes.filter((entry) => entry.availability === 'integration');
  assert.deepEqual(
    integration.map((entry) => entry.type).toSorted(),
    [...names, ...legacyNames]
      .filter((name) =>
        /^(integration-|marketplace\.|deployment\.integration\.|deployment[.-]check(s-|-))/.test(name),
      )
      .toSorted(),
  );
});

test('every name and every hyphen spelling leads to the canonical name; nothing else does', () => {
  for (const name of [...names, ...legacyNames]) assert.equal(canonicalType(name), name);
  assert.equal(hyphenSpellings.size, 17);
  for (const [hyphen, dotted] of hyphenSpellings) {
    assert.equal(canonicalType(hyphen), dotted);
    assert.ok(eventTypesByName.has(dotted), dotted);
    assert.ok(!eventTypesByName.has(hyphen), hyphen);
    // The two differ in nothing but hyphens for dots.
    assert.equal(hyphen.replaceAll('-', '.'), dotted.replaceAll('-', '.'));
  }
  assert.equal(canonicalType('domain.certificate-add'), 'domain.certificate.add');
  assert.equal(canonicalType('project.domain-created'), 'project.domain.created');
  for (const unknown of ['attack.detected', 'deployment.cancelled', 'constructor', '__proto__', '']) {
    assert.equal(canonicalType(unknown), null);
  }
});

test('schemas are plain JSON Schema data that closes no object', () => {
  for (const { type, schema } of eventTypes) {
    const text = JSON.stringify(schema);
    assert.deepEqual(JSON.parse(text), schema, type);
    assert.ok(!text.includes('"additionalProperties":false'), type);
    assert.ok(!text.includes('"$ref"'), type);
  }
});

test('every sample validates, also with additional fields in every object', () => {
  for (const { entry, validate } of cases) {
    assert.ok(validate(entry.sample), `${entry.type}: ${ajv.errorsText(validate.errors)}`);
    const copy = copyOf(entry.sample);
    for (const { value } of walk(entry.schema, copy)) {
      if (isRecord(value)) value.somethingNew = 'x';
    }
    assert.ok(validate(copy), `${entry.type}: ${ajv.errorsText(validate.errors)}`);
  }
});

test('a sample without any one of its required fields is refused', () => {
  let dropped = 0;
  for (const { entry, validate } of cases) {
    for (const { path, node } of walk(entry.schema, copyOf(entry.sample))) {
      for (const key of node.required ?? []) {
        const broken = replaceAt(copyOf(entry.sample), [...path, key], undefined);
        assert.ok(!validate(broken), `${entry.type} without ${[...path, key].join('.')}`);
        dropped += 1;
      }
    }
  }
  assert.ok(dropped > 600, String(dropped));
});

test('a sample with any one field of another type is refused', () => {
  let changed = 0;
  for (const { entry, validate } of cases) {
    for (const { path, node } of walk(entry.schema, copyOf(entry.sample))) {
      if (!(node.type || node.enum)) continue;
      const wrong: Json = node.type === 'array' ? 'x' : [];
      const broken = replaceAt(copyOf(entry.sample), path, wrong);
      assert.ok(!validate(broken), `${entry.type} with another ${path.join('.')}`);
      changed += 1;
    }
    for (const other of [null, [], 'x', 1]) assert.ok(!validate(other), entry.type);
  }
  assert.ok(changed > 600, String(changed));
});

test('documented types require team and user unless they are sent by installations, alerts or of old', () => {
  for (const { entry } of cases) {
    const schema: Node = entry.schema;
    const required = schema.required ?? [];
    const without =
      !entry.documented ||
      entry.legacy ||
      /^(alerts|observability|marketplace|integration-resource|deployment\.integration)\./.test(entry.type) ||
      entry.type === 'integration-configuration.transferred';
    assert.deepEqual(
      ['team', 'user'].map((key) => required.includes(key)),
      [!without, !without],
      entry.type,
    );
  }
});

test('a payload nobody has documented may be empty; its known fields still have types', () => {
  const undocumented = cases.filter(({ entry }) => !entry.documented);
  assert.equal(undocumented.length, 43);
  for (const { entry, validate } of undocumented) {
    assert.ok(validate({}), entry.type);
    assert.ok(!validate({ team: { id: 1 } }), entry.type);
    assert.ok(!validate({ projectId: 1 }), entry.type);
  }
});

test('null stands where it may: no team, no person, no target, no redirect, a deleted variable', () => {
  assert.equal(judge('deployment.created', { team: { id: null }, user: { id: null }, target: null }), true);
  assert.equal(judge('deployment.created', { target: 'preview' }), false);
  assert.equal(judge('deployment.created', { project: { id: null } }), false);
  assert.equal(judge('deployment.created', { deployment: null }), false);
  assert.equal(judge('project.env-variable.deleted', { envVarId: null }), true);
  assert.equal(judge('project.env-variable.created', { envVarId: null }), false);
  assert.equal(judge('marketplace.invoice.paid', { externalInvoiceId: null }), true);
  assert.equal(judge('marketplace.member.changed', { role: 'OWNER' }), false);
  assert.equal(judge('project.rolling-release.started', { prevRollingRelease: {} }), true);
  assert.equal(judge('domain.created', { domain: { name: 'acme.example', delegated: 'true' } }), false);
  assert.equal(judge('domain-created', { domain: { name: 'acme.example', delegated: 'true' } }), true);
});

test('a sample survives JSON unchanged, byte for byte', () => {
  for (const { type, sample } of eventTypes) {
    const body = JSON.stringify(sample);
    assert.deepEqual(JSON.parse(body), sample, type);
    assert.equal(JSON.stringify(JSON.parse(body)), body, type);
    assert.ok(!/"\d+":/.test(body), `${type} has an integer-like key`);
  }
});

test('ids in samples have the form of real ones', () => {
  const text = JSON.stringify(eventTypes.map((entry) => entry.sample));
  for (const [id] of text.matchAll(/"(?:dpl|prj)_[^"]*"/g)) assert.match(id, /^"(dpl|prj)_[A-Za-z0-9]{28}"$/);
  for (const [id] of text.matchAll(/"(?:team|oac|icfg)_[^"]*"/g)) {
    assert.match(id, /^"(team|oac|icfg)_[A-Za-z0-9]{24}"$/);
  }
  for (const match of text.matchAll(/"user":\{"id":("[^"]*"|null)\}/g)) {
    assert.match(match[1] ?? '', /^("[A-Za-z0-9]{24}"|null)$/);
  }
});
