import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FakeClock, settle } from '../../test/support/fake-clock.ts';
import type { Row } from '../store/control/tables.ts';
import { StoreUnavailable } from '../store/errors.ts';
import { queries } from '../store/postgres/deliveries.ts';
import type { Store } from '../store/store.ts';
import { TeamBook } from './teams.ts';

/** A store of which only the read is there, each ended by the test: what it finds is tested with real ones. */
function setUp() {
  const clock = new FakeClock();
  const looks: {
    of: unknown[];
    end(name: string | null): Promise<void>;
    fail(error?: Error): Promise<void>;
  }[] = [];
  const faults: unknown[] = [];
  const store = {
    queries,
    read: ({ parameters }: { parameters: string[] }) =>
      new Promise((resolve, reject) => {
        looks.push({
          of: parameters,
          /** Each of them has that name, or none of them is there. */
          end(name) {
            resolve(name === null ? [] : parameters.map((id) => ({ id, name })));
            return settle();
          },
          fail(error = new StoreUnavailable('away')) {
            reject(error);
            return settle();
          },
        });
      }),
  } as unknown as Store;
  const book = new TeamBook(store, clock, (error) => faults.push(error));
  /** The name of the team as the book has it now; `waits` where it has to be read. */
  const now = (): string => {
    const found = book.find('id', 'team_1');
    return found instanceof Promise ? 'waits' : found.name;
  };
  const ask = async () => (await (book.find('id', 'team_1') as Promise<Row<'teams'> | null>))?.name;
  /** Has the book read the team for the first time. */
  const remember = async (name: string) => {
    const asked = ask();
    await looks[0]?.end(name);
    await asked;
  };
  return { clock, looks, book, faults, now, ask, remember };
}

test('whoever asks while a team is read is answered with the others', async () => {
  const { looks, ask, now } = setUp();
  const asked = [ask(), ask(), ask()];
  assert.equal(looks.length, 1);
  await looks[0]?.end('one');
  assert.deepEqual(await Promise.all(asked), ['one', 'one', 'one']);
  assert.equal(now(), 'one');
  assert.equal(looks.length, 1);
});

test('one that is in use is read again before its second is over, once, and nobody waits for that', async () => {
  const { clock, looks, now, remember } = setUp();
  await remember('one');
  await clock.advance(499);
  assert.equal(now(), 'one');
  assert.equal(looks.length, 1);
  await clock.advance(1);
  assert.deepEqual([now(), now(), looks.length], ['one', 'one', 2]);
  await looks[1]?.end('two');
  assert.equal(now(), 'two');
  await clock.advance(1_000);
  assert.equal(now(), 'waits');
});

test('those in use are read again together, and as long as they are', async () => {
  const { clock, looks, book } = setUp();
  const teams = ['team_1', 'team_2'];
  for (const [at, id] of teams.entries()) {
    void book.find('id', id);
    await looks[at]?.end('0');
  }
  const names = () => teams.map((id) => (book.find('id', id) as Row<'teams'>).name);
  for (let round = 1; round <= 3; round++) {
    assert.deepEqual(names(), [`${round - 1}`, `${round - 1}`]);
    await clock.advance(500);
    names();
    assert.deepEqual([looks.length, looks[1 + round]?.of], [2 + round, teams]);
    await looks[1 + round]?.end(`${round}`);
  }
});

test('one that could not be read again serves until its second is over, and no longer', async () => {
  const { clock, looks, faults, now, ask, remember } = setUp();
  await remember('one');
  await clock.advance(600);
  now();
  await looks[1]?.fail();
  await clock.advance(399);
  assert.equal(now(), 'one');
  assert.equal(looks.length, 2);
  await clock.advance(1);
  const again = assert.rejects(ask(), StoreUnavailable);
  await looks[2]?.fail();
  await again;
  assert.deepEqual(faults, []);
});

test('what else keeps teams from being read again is told, once for all of them', async () => {
  const { clock, looks, book, faults, remember } = setUp();
  await remember('one');
  void book.find('id', 'team_2');
  await looks[1]?.end('two');
  for (const id of ['team_1', 'team_2']) void book.find('id', id);
  await clock.advance(500);
  void book.find('id', 'team_1');
  const fault = new Error('no such column');
  await looks[2]?.fail(fault);
  assert.deepEqual([looks[2]?.of, faults], [['team_1', 'team_2'], [fault]]);
});

test('a change while it is being read: what was read before it is not remembered', async () => {
  const { looks, book, now, ask } = setUp();
  const before = ask();
  book.forget();
  const after = ask();
  assert.equal(looks.length, 2);
  await looks[1]?.end('new');
  await looks[0]?.end('old');
  assert.deepEqual([await before, await after, now()], ['old', 'new', 'new']);
});

test('a team that is gone is not remembered', async () => {
  const { clock, looks, now, remember } = setUp();
  await remember('one');
  await clock.advance(500);
  now();
  await looks[1]?.end(null);
  assert.equal(now(), 'waits');
});
