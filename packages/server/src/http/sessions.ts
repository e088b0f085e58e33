// The doors of one's own sessions: who is signed in here, where else, and signing out.
import { Type } from 'typebox';
import { changePassword } from '../platform/passwords.ts';
import { endSession, type Session } from '../platform/sessions.ts';
import { findPassword } from '../store/control/passwords.ts';
import { listSessions } from '../store/control/sessions.ts';
import type { Row } from '../store/control/tables.ts';
import { listTeams } from '../store/control/teams.ts';
import type { Door } from './app.ts';
import { actorOf, addressOf, bodyOf, type House, paramsOf, sessionOf } from './context.ts';
import { writeSessionCookie } from './cookies.ts';
import { NullableText, Password } from './fields.ts';
import { SignedInUser } from './sign-in.ts';

const Current = Type.Object({
  user: Type.Object({ ...SignedInUser.properties, hasPassword: Type.Boolean() }),
  operator: Type.Boolean(),
  version: Type.String(),
  session: Type.Object({ id: Type.String(), createdAt: Type.Number(), expiresAt: Type.Number() }),
  teams: Type.Array(
    Type.Object({
      id: Type.String(),
      slug: Type.String(),
      name: Type.String(),
      plan: Type.String(),
      role: Type.String(),
    }),
  ),
});
const Sessions = Type.Object({
  sessions: Type.Array(
    Type.Object({
      id: Type.String(),
      method: Type.String(),
      createdAt: Type.Number(),
      lastSeenAt: Type.Number(),
      expiresAt: Type.Number(),
      address: NullableText,
      userAgent: NullableText,
      current: Type.Boolean(),
    }),
  ),
});
const PasswordBody = Type.Object({ password: Password, current: Type.Optional(Password) });
const IdParams = Type.Object({ id: Type.String() });
/** The most teams that the operator is shown beside their own; GET /v2/teams lists all. */
const mostTeams = 100;

export const sessionsDoor: Door = (app, house) => {
  const { platform } = house;
  const tags = ['sessions'];
  const config = { access: 'session' } as const;

  app.get(
    '/session',
    { config, schema: { tags, summary: 'Who is signed in, and their teams', response: { 200: Current } } },
    async (request) => {
      const session = sessionOf(request);
      const { id, user, isOperator, createdAt, expiresAt } = session;
      return {
        user: { ...user, hasPassword: (await findPassword(platform.store, user.id)) !== null },
        operator: isOperator,
        version: house.version,
        session: { id, createdAt, expiresAt },
        teams: (await teamsOf(house, session)).map(({ team, role }) => ({
          id: team.id,
          slug: team.slug,
          name: team.name,
          plan: team.plan,
          role,
        })),
      };
    },
  );

  app.get(
    '/sessions',
    { config, schema: { tags, summary: 'Where one is signed in', response: { 200: Sessions } } },
    async (request) => {
      const { id, user } = sessionOf(request);
      const rows = await listSessions(platform.store, user.id, platform.clock.now());
      return {
        sessions: rows.map((row) => ({
          id: row.id,
          method: row.method,
          createdAt: row.created_at,
          lastSeenAt: row.last_seen_at,
          expiresAt: row.expires_at,
          address: row.address,
          userAgent: row.user_agent,
          current: row.id === id,
        })),
      };
    },
  );

  app.delete(
    '/sessions/:id',
    {
      config,
      schema: {
        tags,
        summary: 'Ends one of one’s own sessions',
        params: IdParams,
        response: { 204: Type.Null() },
      },
    },
    async (request, reply) => {
      await endSession(platform, actorOf(request), sessionOf(request), paramsOf(request, IdParams).id);
      house.sessions.forget();
      return reply.code(204).send();
    },
  );

  app.put(
    '/user/password',
    {
      config,
      schema: {
        tags,
        summary: 'Gives oneself a password, or another one; one’s other sessions end',
        body: PasswordBody,
        response: { 204: Type.Null() },
      },
    },
    async (request, reply) => {
      const { password, current } = bodyOf(request, PasswordBody);
      await changePassword(platform, sessionOf(request), addressOf(request), password, current);
      house.sessions.forget();
      return reply.code(204).send();
    },
  );

  app.post(
    '/sign-out',
    { config, schema: { tags, summary: 'Ends this session', response: { 204: Type.Null() } } },
    async (request, reply) => {
      const session = sessionOf(request);
      await endSession(platform, actorOf(request), session, session.id);
      house.sessions.forget();
      return reply.code(204).header('set-cookie', writeSessionCookie(house.publicUrl(), null)).send();
    },
  );
};

/** One's own teams; the operator is shown others too, where the operator may what an owner may. */
async function teamsOf(
  house: House,
  { memberships, isOperator }: Session,
): Promise<{ team: Row<'teams'>; role: string }[]> {
  if (!isOperator) return memberships;
  const { rows } = await listTeams(house.platform.store, { limit: mostTeams, since: null, until: null });
  const own = new Set(memberships.map(({ team }) => team.id));
  return [
    ...memberships,
    ...rows.filter(({ id }) => !own.has(id)).map((team) => ({ team, role: 'OWNER' as const })),
  ];
}
