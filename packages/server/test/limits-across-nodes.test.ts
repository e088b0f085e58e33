// Three nodes on one PostgreSQL: what is set on a webhook holds for all of them together, and order outlives a node.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { makeWebhook, newEvent, publishAll } from './support/calls.ts';
import { quiet, startReceivers } from './support/house.ts';
import { createDatabase } from './support/postgres.ts';
import { type Posthorn, startPosthorn } from './support/posthorn.ts';

const shared = {
  ...quiet,
  POSTHORN_SECRET_KEY: Buffer.alloc(32, 7).toString('base64'),
  POSTHORN_RETRY_SCHEDULE: '200ms,500ms,1s,1s,1s',
  POSTHORN_TIMEOUT: '4s',
};

let url = '';
let nodes: Posthorn[] = [];
before(async () => {
  url = (await createDatabase()).url;
  nodes = await Promise.all([1, 2, 3].map(() => startPosthorn({ ...shared, DATABASE_URL: url })));
});
after(() => Promise.all(nodes.map((node) => node.close())));

const at = (n: number): Posthorn => nodes[n % nodes.length] as Posthorn;
const seqOf = ({ headers }: { headers: Record<string, unknown> }) => String(headers['webhook-id']);

/** Publishes `count` events of so many projects, to all nodes in turn. */
async function publishEverywhere(count: number, name: string, fields: (n: number) => object = () => ({})) {
  const each = Array.from({ length: count }, (_, n) => newEvent(n, { id: `${name}-${n}`, ...fields(n) }));
  for (let n = 0; n < count; n += 10) await publishAll(at(n / 10), each.slice(n, n + 10));
}

test('maxConcurrency and ratePerSecond are kept by three nodes together', async (context) => {
  const [narrow, paced] = await startReceivers(context, 2);
  assert.ok(narrow !== undefined && paced !== undefined);
  let underWay = 0;
  let most = 0;
  narrow.script((_, response) => {
    underWay += 1;
    most = Math.max(most, underWay);
    setTimeout(() => {
      underWay -= 1;
      response.end();
    }, 40);
  });
  const hooks = [
    await makeWebhook(at(0), narrow.url, { maxConcurrency: 2 }),
    await makeWebhook(at(1), paced.url, { ratePerSecond: 20 }),
  ];
  await publishEverywhere(240, 'limits');
  const requests = await paced.waitFor(220, 60_000);
  await narrow.waitFor(220, 60_000);
  assert.ok(most === 1 || most === 2, `${most} at once`);
  const times = requests.map(({ receivedAt }) => receivedAt).toSorted((a, b) => a - b);
  const within = times.map((from, n) => times.slice(n).filter((one) => one < from + 10_000).length);
  assert.ok(Math.max(...within) <= 220, `${Math.max(...within)} within 10 s, where 20 a second are allowed`);
  const inOneSecond = times.map((from, n) => times.slice(n).filter((one) => one < from + 1_000).length);
  assert.ok(Math.max(...inOneSecond) <= 24, `${Math.max(...inOneSecond)} within a second`);
  for (const { id } of hooks) await at(0).call('DELETE', `/v1/webhooks/${id}`);
});

test('order "project" holds over nodes, retries, and the death of the one that sends', async (context) => {
  const [receiver] = await startReceivers(context, 1);
  assert.ok(receiver !== undefined);
  const underWay = new Map<string, number>();
  const overlaps: string[] = [];
  const projects = 4;
  const projectOf = (id: string) => String(Number(id.split('-')[1]) % projects);
  receiver.script((request, response) => {
    const id = seqOf(request);
    const project = projectOf(id);
    const now = (underWay.get(project) ?? 0) + 1;
    underWay.set(project, now);
    if (now > 1) overlaps.push(id);
    response.once('close', () => underWay.set(project, (underWay.get(project) ?? 1) - 1));
    // Every seventh fails the first time: its project waits for its retry.
    const isFirst = receiver.requests.filter((one) => seqOf(one) === id).length === 1;
    const isBad = Number(id.split('-')[1]) % 7 === 0 && isFirst;
    setTimeout(() => response.writeHead(isBad ? 500 : 200).end(), 10);
  });
  await makeWebhook(at(0), receiver.url, { ordering: 'project' });
  const fields = (n: number) => ({ projectId: `prj_${n % projects}` });
  await publishEverywhere(120, 'order', fields);
  await receiver.waitFor(20, 30_000);
  // The owner of the lane is one of three: two of them die, one after the other, so that it surely does.
  for (const n of [0, 1]) {
    await at(n).end('SIGKILL');
    await receiver.waitFor(Math.min(receiver.requests.length + 5, 120), 60_000);
  }
  const delivered = () => new Set(receiver.requests.map(seqOf));
  for (let awaited = receiver.requests.length; delivered().size < 120; awaited++)
    await receiver.waitFor(awaited + 1, 60_000);
  const arrivals = new Map<string, number[]>();
  for (const request of receiver.requests) {
    const id = seqOf(request);
    arrivals.set(projectOf(id), [...(arrivals.get(projectOf(id)) ?? []), Number(id.split('-')[1])]);
  }
  for (const [project, sequence] of arrivals) {
    // The same one may come again (a retry, a takeover); an earlier one never after a later one.
    assert.deepEqual(
      sequence,
      sequence.toSorted((a, b) => a - b),
      `project ${project}`,
    );
    assert.equal(new Set(sequence).size, 120 / projects);
  }
  assert.deepEqual(overlaps, [], 'never two of a project at once');
  nodes.splice(
    0,
    2,
    ...(await Promise.all([1, 2].map(() => startPosthorn({ ...shared, DATABASE_URL: url })))),
  );
});
