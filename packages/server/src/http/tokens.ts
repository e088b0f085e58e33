// The door of tokens: create, list, revoke. A token's plain text is in the answer to its creation only.
import { Type } from 'typebox';
import { readTime } from '../core/time.ts';
import { ApiError } from '../errors.ts';
import { memberRoles } from '../platform/members.ts';
import { createToken, removeToken } from '../platform/tokens.ts';
import { listTokens, type TokenRow } from '../store/control/tokens.ts';
import type { Door } from './app.ts';
import { actorOf, bodyOf, paramsOf, queryOf, scopeOf, teamOf } from './context.ts';
import {
  Choice,
  Name,
  NullableNumber,
  NullableText,
  readPage,
  showPagination,
  TimePageQuery,
  TimePagination,
  UserId,
} from './fields.ts';
import { TeamQuery } from './schemas.ts';

const Token = Type.Object({
  id: Type.String(),
  name: Type.String(),
  role: Type.String(),
  teamId: NullableText,
  userId: NullableText,
  createdAt: Type.Number(),
  expiresAt: NullableNumber,
  lastUsedAt: NullableNumber,
});
const CreatedToken = Type.Object({ token: Type.String(), ...Token.properties });
const TokenPage = Type.Object({ tokens: Type.Array(Token), pagination: TimePagination });
const IdParams = Type.Object({ id: Type.String() });
const CreateBody = Type.Object({
  name: Name,
  role: Choice([...memberRoles, 'PUBLISHER']),
  teamId: Type.Optional(Type.Union([Type.String({ minLength: 1, maxLength: 128 }), Type.Null()])),
  expiresAt: Type.Optional(
    Type.Unsafe<number | string | null>({ type: ['number', 'string', 'null'], maxLength: 40 }),
  ),
  userId: Type.Optional(Type.Union([UserId, Type.Null()])),
});

export const tokensDoor: Door = (app, house) => {
  const { platform } = house;
  const tags = ['tokens'];

  app.post(
    '/tokens',
    {
      config: { access: 'tokens.write' },
      schema: {
        tags,
        summary: 'Creates a token; its text is in this answer only',
        querystring: TeamQuery,
        body: CreateBody,
        response: { 201: CreatedToken },
      },
    },
    async (request, reply) => {
      const actor = actorOf(request);
      const body = bodyOf(request, CreateBody);
      const query = queryOf(request, TeamQuery);
      const named = body.teamId ?? query.teamId ?? query.slug;
      const teamless = body.role === 'PUBLISHER' && actor.role === 'OPERATOR' && named === undefined;
      const asked = typeof body.teamId === 'string' ? { teamId: body.teamId } : query;
      const team = teamless ? null : await house.teams.ofCall(actor, asked);
      const { row, token } = await createToken(platform, actor, team, {
        name: body.name,
        role: body.role,
        expiresAt: readExpiry(body.expiresAt ?? null),
        userId: body.userId ?? null,
      });
      return reply.code(201).send({ token, ...showToken(row) });
    },
  );

  app.get(
    '/tokens',
    {
      config: { access: 'tokens.write' },
      schema: {
        tags,
        summary: 'Lists the team’s tokens; the operator’s list has those for every team too',
        querystring: TimePageQuery,
        response: { 200: TokenPage },
      },
    },
    async (request) => {
      const query = queryOf(request, TimePageQuery);
      const page = readPage(query);
      const team = await teamOf(house, request);
      const teamless = actorOf(request).role === 'OPERATOR' && !query.teamId && !query.slug;
      const found = await listTokens(platform.store, team.id, teamless, page);
      return { tokens: found.rows.map(showToken), pagination: showPagination(page, found) };
    },
  );

  app.delete(
    '/tokens/:id',
    {
      config: { access: 'tokens.write' },
      schema: {
        tags,
        summary: 'Revokes a token',
        params: IdParams,
        querystring: TeamQuery,
        response: { 204: Type.Null() },
      },
    },
    async (request, reply) => {
      await removeToken(
        platform,
        actorOf(request),
        paramsOf(request, IdParams).id,
        await scopeOf(house, request),
      );
      house.tokens.forget();
      return reply.code(204).send();
    },
  );
};

function readExpiry(value: number | string | null): number | null {
  if (value === null) return null;
  const at = readTime(value);
  if (at === null)
    throw new ApiError('bad_request', 'body.expiresAt must be epoch milliseconds or an ISO 8601 time.');
  return at;
}

function showToken(row: TokenRow) {
  return {
    id: row.id,
    name: row.name,
    role: row.role,
    teamId: row.team_id,
    userId: row.user_id,
    createdAt: row.created_at,
    expiresAt: row.expires_at,
    lastUsedAt: row.last_used_at,
  };
}
