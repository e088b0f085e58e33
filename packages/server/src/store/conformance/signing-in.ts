// Signing in: what is used once is used once however many come at the same moment, tries are counted, and what has
// run out goes.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { deleteExpired } from '../control/expired.ts';
import { findIdentity, insertIdentity } from '../control/identities.ts';
import {
  deleteInvitation,
  findInvitation,
  findInvitationById,
  insertInvitation,
  listInvitations,
} from '../control/invitations.ts';
import { insertMember, listMemberships } from '../control/members.ts';
import { findPassword, holdPassword, insertPassword, replacePassword } from '../control/passwords.ts';
import {
  deleteSession,
  deleteSessionsOf,
  deleteSessionsWithoutTeam,
  findSession,
  insertSession,
  listSessions,
  touchSession,
} from '../control/sessions.ts';
import { insertSignInLink, useSignInLink } from '../control/sign-in-links.ts';
import { forgetTries, giveTryBack, takeTry, waitForTry } from '../control/sign-in-tries.ts';
import type { NewRow } from '../control/tables.ts';
import { hasWayIn, insertUser } from '../control/users.ts';
import type { Step, Store } from '../store.ts';
import { addTeam, change, type OpenStore, onStore, startAt } from './bed.ts';

const minute = 60_000;

/** Which of the steps, all tried at once, were done. */
async function race(store: Store, steps: Step[]): Promise<boolean[]> {
  const outcomes = await Promise.all(
    steps.map((step) => store.change({ steps: [step], events: [], touched: [], now: startAt })),
  );
  return outcomes.map(({ kind }) => kind === 'done');
}

const tryStep = async (store: Store, step: Step): Promise<boolean> => (await race(store, [step]))[0] === true;

const sessionRow = (id: string, createdAt: number, userId = 'user'): NewRow<'sessions'> => ({
  id,
  hash: `hash of ${id}`,
  user_id: userId,
  method: 'link',
  address: null,
  user_agent: null,
  created_at: createdAt,
  last_seen_at: createdAt,
  expires_at: createdAt + minute,
});

export function describeSigningIn(open: OpenStore): void {
  describe('signing in', () => {
    test(
      'of many who use a link at once one does, and nobody once it has run out',
      onStore(open, async (store) => {
        const row = (hash: string) => ({
          hash,
          user_id: 'user',
          created_at: startAt,
          expires_at: startAt + minute,
          used_at: null,
        });
        await change(store, {
          steps: [insertSignInLink(store, row('one')), insertSignInLink(store, row('late'))],
        });
        const used = await race(
          store,
          Array.from({ length: 20 }, () => useSignInLink(store, 'one', startAt + 1)),
        );
        assert.equal(used.filter(Boolean).length, 1);
        assert.equal(await tryStep(store, useSignInLink(store, 'late', startAt + minute)), false);
        assert.equal(await tryStep(store, useSignInLink(store, 'late', startAt + minute - 1)), true);
        assert.equal(await tryStep(store, useSignInLink(store, 'unknown', startAt)), false);
      }),
    );

    test(
      'tries are counted: so many at once, then one for each wait',
      onStore(open, async (store) => {
        const limit = { burst: 5, everyMs: minute };
        const take = (subject: string, at: number) => takeTry(store, subject, limit, at);
        const at = startAt;
        const done = await race(
          store,
          Array.from({ length: 20 }, () => take('a', at)),
        );
        assert.equal(done.filter(Boolean).length, 5);
        assert.equal(await waitForTry(store, 'a', limit, at), minute);
        assert.equal(await waitForTry(store, 'b', limit, at), 0);
        assert.equal(await tryStep(store, take('b', at)), true, 'another subject has its own');

        assert.equal(await tryStep(store, take('a', at + minute - 1)), false);
        assert.equal(await tryStep(store, take('a', at + minute)), true);
        assert.equal(await tryStep(store, take('a', at + minute)), false);
        await change(store, { steps: [giveTryBack(store, 'a', limit)] });
        assert.equal(await tryStep(store, take('a', at + minute)), true);
        await change(store, { steps: [forgetTries(store, 'a')] });
        const again = await race(
          store,
          Array.from({ length: 6 }, () => take('a', at + minute)),
        );
        assert.equal(again.filter(Boolean).length, 5);

        const later = await race(
          store,
          Array.from({ length: 6 }, () => take('b', at + 100 * minute)),
        );
        assert.equal(later.filter(Boolean).length, 5, 'a long rest saves up no more than that');
      }),
    );

    test(
      'an invitation replaces the one before, and is used by one of many',
      onStore(open, async (store) => {
        const row = (id: string, email: string) => ({
          id,
          hash: `hash of ${id}`,
          team_id: 'team',
          email,
          role: 'MEMBER' as const,
          invited_by: 'user',
          inviter: 'User',
          created_at: startAt,
          expires_at: startAt + minute,
        });
        for (const id of ['one', 'two'])
          await change(store, { steps: insertInvitation(store, row(id, 'a@example.com')) });
        await change(store, { steps: insertInvitation(store, row('other', 'b@example.com')) });
        const page = { limit: 10, since: null, until: null };
        const ids = async (at: number) =>
          (await listInvitations(store, 'team', at, page)).rows.map(({ id }) => id).toSorted();
        assert.deepEqual(await ids(startAt), ['other', 'two']);
        assert.deepEqual(await ids(startAt + minute), []);
        assert.equal(await findInvitation(store, 'hash of one', startAt), null);
        assert.equal((await findInvitation(store, 'hash of two', startAt))?.id, 'two');
        assert.equal(await findInvitation(store, 'hash of two', startAt + minute), null);
        assert.equal((await findInvitationById(store, 'two', 'team'))?.id, 'two');
        assert.equal(await findInvitationById(store, 'two', 'another'), null);
        const used = await race(
          store,
          Array.from({ length: 20 }, () => deleteInvitation(store, 'two', 'hash of two')),
        );
        assert.equal(used.filter(Boolean).length, 1);
        assert.deepEqual(await ids(startAt), ['other']);
      }),
    );

    test(
      'a password is set once, and changed only by who has read it',
      onStore(open, async (store) => {
        const row = { user_id: 'user', hash: 'one', changed_at: startAt };
        assert.deepEqual(
          (
            await race(store, [insertPassword(store, row), insertPassword(store, { ...row, hash: 'two' })])
          ).toSorted(),
          [false, true],
        );
        const read = await findPassword(store, 'user');
        assert.ok(read);
        assert.equal(await tryStep(store, holdPassword(store, read)), true);
        assert.equal(await tryStep(store, replacePassword(store, read, 'three', startAt + 1)), true);
        assert.equal(await tryStep(store, replacePassword(store, read, 'four', startAt + 2)), false);
        assert.equal(await tryStep(store, holdPassword(store, read)), false);
        assert.deepEqual(
          { ...(await findPassword(store, 'user')) },
          {
            user_id: 'user',
            hash: 'three',
            changed_at: startAt + 1,
          },
        );
        assert.equal(await findPassword(store, 'other'), null);
      }),
    );

    test(
      'sessions are found until they run out, the oldest make room, and each ends alone',
      onStore(open, async (store) => {
        const user = { email: 'a@example.com', username: 'a', name: null, created_at: startAt };
        await change(store, {
          steps: [
            insertUser(store, { ...user, id: 'user' }),
            insertUser(store, { ...user, id: 'other', email: 'b@example.com' }),
            ...insertSession(store, sessionRow('theirs', startAt, 'other'), 3),
          ],
        });
        for (let i = 0; i < 4; i++) {
          await change(store, { steps: insertSession(store, sessionRow(`s${i}`, startAt + i), 3) });
        }
        const ids = async (at: number) => (await listSessions(store, 'user', at)).map(({ id }) => id);
        assert.deepEqual(await ids(startAt + 4), ['s3', 's2', 's1']);
        assert.equal(await findSession(store, 'hash of s0', startAt + 4), null);
        const found = await findSession(store, 'hash of s1', startAt + minute);
        assert.deepEqual([found?.id, found?.email], ['s1', 'a@example.com']);
        assert.equal(await findSession(store, 'hash of s1', startAt + 1 + minute), null);

        await change(store, { steps: [touchSession(store, 's1', startAt + 9, startAt + 2 * minute)] });
        assert.deepEqual(await ids(startAt + 90_000), ['s1']);
        assert.equal(await tryStep(store, deleteSession(store, 'other', 's3')), false, 'not one’s own');
        assert.equal(await tryStep(store, deleteSession(store, 'user', 's3')), true);
        assert.equal(await tryStep(store, deleteSession(store, 'user', 's3')), false);
        await change(store, { steps: [deleteSessionsOf(store, 'user', 's1')] });
        assert.deepEqual(await ids(startAt + 4), ['s1']);
        assert.equal((await listSessions(store, 'other', startAt + 4)).length, 1);
      }),
    );

    test(
      'an identity is one user’s, and a user has a way in by each of three',
      onStore(open, async (store) => {
        const user = { username: 'a', name: null, created_at: startAt };
        const racers = ['first', 'second'];
        const ids = ['password', 'session', ...racers];
        await change(store, {
          steps: ids.map((id) => insertUser(store, { ...user, id, email: `${id}@example.com` })),
        });
        const identity = (userId: string) => ({
          issuer: 'https://login.example.com',
          subject: 'one',
          user_id: userId,
          created_at: startAt,
        });
        const won = await race(
          store,
          racers.map((id) => insertIdentity(store, identity(id))),
        );
        assert.deepEqual(won.toSorted(), [false, true]);
        const { issuer } = identity('');
        const winner = racers[won.indexOf(true)];
        assert.equal((await findIdentity(store, issuer, 'one'))?.email, `${winner}@example.com`);
        assert.equal(await findIdentity(store, issuer, 'two'), null);
        assert.equal(await findIdentity(store, 'https://other.example.com', 'one'), null);
        await change(store, {
          steps: [
            insertPassword(store, { user_id: 'password', hash: 'x', changed_at: startAt }),
            ...insertSession(store, sessionRow('s', startAt, 'session'), 3),
          ],
        });
        const ways = async (at: number) => Promise.all(ids.map((id) => hasWayIn(store, id, at)));
        assert.deepEqual(await ways(startAt), [true, true, ...won], 'who lost has none');
        assert.deepEqual(await ways(startAt + minute), [true, false, ...won]);
      }),
    );

    test(
      'the sessions of who belongs to a team stay, and end with the last one',
      onStore(open, async (store) => {
        const [one, two] = [await addTeam(store), await addTeam(store)];
        const member = (teamId: string, at: number) =>
          insertMember(store, { team_id: teamId, user_id: 'user', role: 'OWNER', created_at: at });
        const other = insertMember(store, {
          team_id: one,
          user_id: 'other',
          role: 'OWNER',
          created_at: startAt,
        });
        await change(store, {
          steps: [member(two, startAt), member(one, startAt + 1), other],
        });
        await change(store, { steps: insertSession(store, sessionRow('s', startAt), 3) });
        const memberships = await listMemberships(store, 'user');
        assert.deepEqual(
          memberships.map(({ team, role }) => [team.id, role]),
          [
            [two, 'OWNER'],
            [one, 'OWNER'],
          ],
        );
        const count = async () => (await listSessions(store, 'user', startAt)).length;
        const leave = (teamId: string) =>
          store.queries.deleteFrom('members').where('team_id', '=', teamId).where('user_id', '=', 'user');
        for (const [teamId, left] of [
          [one, 1],
          [two, 0],
        ] as const) {
          const steps = [{ query: leave(teamId).compile() }, deleteSessionsWithoutTeam(store, 'user')];
          await change(store, { steps });
          assert.equal(await count(), left);
        }
      }),
    );

    test(
      'what has run out is deleted, the rest stays',
      onStore(open, async (store) => {
        const link = { user_id: 'user', created_at: startAt, used_at: null };
        const limit = { burst: 2, everyMs: minute };
        await change(store, {
          steps: [
            ...insertSession(store, sessionRow('old', startAt), 3),
            ...insertSession(store, sessionRow('new', startAt + minute), 3),
            insertSignInLink(store, { ...link, hash: 'old', expires_at: startAt + minute }),
            insertSignInLink(store, { ...link, hash: 'new', expires_at: startAt + 2 * minute }),
            takeTry(store, 'old', limit, startAt),
            takeTry(store, 'new', limit, startAt + 1),
          ],
        });
        await change(store, { steps: deleteExpired(store, startAt + minute) });
        const { queries } = store;
        const left = [
          await store.read(queries.selectFrom('sessions').select('id as key').compile()),
          await store.read(queries.selectFrom('sign_in_links').select('hash as key').compile()),
          await store.read(queries.selectFrom('sign_in_tries').select('subject as key').compile()),
        ];
        assert.deepEqual(
          left.map((rows) => rows.map(({ key }) => key)),
          [['new'], ['new'], ['new']],
        );
      }),
    );
  });
}
