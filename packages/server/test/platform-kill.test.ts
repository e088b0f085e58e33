// A change of the platform and the event it causes are one commit: the process is killed again and again while
// projects and variables change, and at the end changes and events correspond one to one.
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { after, test } from 'node:test';
import { newDataDir, type Posthorn, startPosthorn } from './support/posthorn.ts';

const kills = 5;
const callsPerLife = 40;
const workers = 6;

let posthorn: Posthorn | null = null;
after(() => posthorn?.close());

/** What was answered, as the events must tell it: `type subject`. */
const answered: string[] = [];

/** Makes projects, gives them variables, renames and removes them, until the process dies. */
async function work(server: Posthorn, worker: string, onAnswer: () => void): Promise<void> {
  const call = async (method: string, path: string, body?: unknown) => {
    const answer = await server.call(method, path, body === undefined ? {} : { body });
    assert.ok(answer.status < 300, `${method} ${path}: ${JSON.stringify(answer.body)}`);
    return answer.body;
  };
  const note = (...changes: string[]) => {
    answered.push(...changes);
    onAnswer();
  };
  for (let round = 0; ; round++) {
    const name = `${worker}-${round}`;
    const { id } = await call('POST', '/v11/projects', { name });
    note(`project.created ${id}`);
    const variable = { key: 'A', value: 'x', type: 'encrypted', target: ['production'] };
    const { created } = await call('POST', `/v10/projects/${id}/env`, [variable, { ...variable, key: 'B' }]);
    note(...created.map((one: { id: string }) => `project.env-variable.created ${one.id}`));
    const [first, second] = created;
    await call('PATCH', `/v9/projects/${id}/env/${first.id}`, { value: 'y' });
    note(`project.env-variable.updated ${first.id}`);
    await call('PATCH', `/v9/projects/${id}`, { name: `${name}-renamed` });
    note(`project.renamed ${id}`);
    await call('DELETE', `/v9/projects/${id}/env/${second.id}`);
    note(`project.env-variable.deleted ${second.id}`);
    if (round % 2 === 0) continue;
    await call('DELETE', `/v9/projects/${id}`);
    note(`project.removed ${id}`);
  }
}

/** Runs workers until enough calls were answered, and kills the process in the middle of the next ones. */
async function live(dataDir: string, life: number): Promise<void> {
  const server = await startPosthorn({}, dataDir);
  posthorn = server;
  let left = callsPerLife + life * 7;
  let killed = false;
  const running = Array.from({ length: workers }, (_, index) =>
    work(server, `l${life}w${index}`, () => {
      left -= 1;
      if (left > 0 || killed) return;
      killed = true;
      server.process.kill('SIGKILL');
    }),
  );
  for (const outcome of await Promise.allSettled(running)) {
    assert.equal(outcome.status, 'rejected');
    // Only the kill may end a worker: a refused call is an AssertionError.
    assert.ok(!(outcome.reason instanceof assert.AssertionError), String(outcome.reason));
  }
  await server.end('SIGKILL');
}

const counted = (list: string[]) => {
  const counts = new Map<string, number>();
  for (const one of list) counts.set(one, (counts.get(one) ?? 0) + 1);
  return counts;
};

test('killed at any moment, every change has its one event and every event its change', async () => {
  const dataDir = newDataDir();
  for (let life = 0; life < kills; life++) await live(dataDir, life);
  posthorn = await startPosthorn({}, dataDir);
  assert.equal(await posthorn.end(), 0);

  const db = new DatabaseSync(join(dataDir, 'posthorn.db'), { readOnly: true });
  /** The one column `told` of a query, as text. */
  const select = (sql: string) =>
    db
      .prepare(sql)
      .all()
      .map(({ told }) => String(told));
  const events = select(
    `SELECT type || ' ' || coalesce(json_extract(CAST(body AS TEXT), '$.payload.project.id'),
                                    json_extract(CAST(body AS TEXT), '$.payload.envVarId')) AS told
       FROM events WHERE type LIKE 'project.%'`,
  );
  const changes = select("SELECT action || ' ' || subject AS told FROM audit WHERE action LIKE 'project.%'");
  const projects = select('SELECT id AS told FROM projects');
  const variables = select('SELECT id AS told FROM variables');
  const orphans = select(
    'SELECT id AS told FROM variables WHERE project_id NOT IN (SELECT id FROM projects)',
  );
  db.close();

  assert.ok(answered.length >= kills * callsPerLife);
  assert.deepEqual(counted(events), counted(changes));
  assert.equal(new Set(events).size, events.length, 'an event stands twice');
  const told = new Set(events);
  assert.deepEqual(
    answered.filter((change) => !told.has(change)),
    [],
    'an answered change has no event',
  );

  const subjects = (type: string) =>
    new Set(events.filter((event) => event.startsWith(`${type} `)).map((event) => event.split(' ')[1] ?? ''));
  const removed = subjects('project.removed');
  const standing = [...subjects('project.created')].filter((id) => !removed.has(id));
  assert.deepEqual(new Set(projects), new Set(standing));
  const created = subjects('project.env-variable.created');
  const deleted = subjects('project.env-variable.deleted');
  assert.deepEqual(
    variables.filter((id) => !created.has(id) || deleted.has(id)),
    [],
  );
  assert.deepEqual(orphans, []);
});
