// The door of teams: Vercel's reads, and the operator's creating and changing.
import type { FastifyRequest } from 'fastify';
import { Type } from 'typebox';
import type { Actor } from '../platform/actor.ts';
import { createTeam, needTeam, patchTeam } from '../platform/teams.ts';
import { userIdOf } from '../platform/users.ts';
import type { PageOf, TimePage } from '../store/control/pages.ts';
import type { Row } from '../store/control/tables.ts';
import { listTeams } from '../store/control/teams.ts';
import type { Door } from './app.ts';
import { actorOf, bodyOf, type House, paramsOf, queryOf, scopeOf, teamOf } from './context.ts';
import { Choice, ChosenId, Name, readPage, showPagination, TimePageQuery, TimePagination } from './fields.ts';
import { TeamQuery } from './schemas.ts';

const Plan = Choice(['hobby', 'pro', 'enterprise']);
const Slug = Type.String({ pattern: '^[a-z0-9]+(-[a-z0-9]+)*$', maxLength: 48 });

const Membership = Type.Object({
  confirmed: Type.Boolean(),
  confirmedAt: Type.Number(),
  created: Type.Number(),
  createdAt: Type.Number(),
  role: Type.String(),
  teamId: Type.String(),
  uid: Type.String(),
});
const Team = Type.Object({
  id: Type.String(),
  slug: Type.String(),
  name: Type.String(),
  plan: Type.String(),
  avatar: Type.Null(),
  description: Type.Null(),
  stagingPrefix: Type.String(),
  billing: Type.Object({ plan: Type.String() }),
  creatorId: Type.String(),
  membership: Type.Optional(Membership),
  createdAt: Type.Number(),
  updatedAt: Type.Number(),
});
const TeamPage = Type.Object({ teams: Type.Array(Team), pagination: TimePagination });
const TeamParams = Type.Object({ idOrSlug: Type.String() });
const CreateBody = Type.Object({
  slug: Slug,
  name: Type.Optional(Name),
  plan: Type.Optional(Plan),
  id: Type.Optional(ChosenId),
});
const PatchBody = Type.Object({
  slug: Type.Optional(Slug),
  name: Type.Optional(Name),
  plan: Type.Optional(Plan),
});

/** The team of a path, within what the caller may reach. */
export async function teamOfPath(
  house: House,
  request: FastifyRequest,
  idOrSlug: string,
): Promise<Row<'teams'>> {
  return needTeam(house.platform, idOrSlug, await scopeOf(house, request));
}

export const teamsDoor: Door = (app, house) => {
  const { platform } = house;
  const tags = ['teams'];

  app.get(
    '/teams',
    {
      config: { access: 'teams.read', version: 'v2' },
      schema: {
        tags,
        summary: 'Lists teams: the caller’s own; every one for the operator',
        querystring: TimePageQuery,
        response: { 200: TeamPage },
      },
    },
    async (request) => {
      const actor = actorOf(request);
      const page = readPage(queryOf(request, TimePageQuery));
      const found = await teamsOf(house, request, actor, page);
      return {
        teams: found.rows.map((team) => showTeam(team, roleIn(request, team))),
        pagination: showPagination(page, found),
      };
    },
  );

  app.get(
    '/teams/:idOrSlug',
    {
      config: { access: 'teams.read', version: 'v2' },
      schema: {
        tags,
        summary: 'Gets a team by its id or slug',
        params: TeamParams,
        querystring: TeamQuery,
        response: { 200: Team },
      },
    },
    async (request) => {
      const team = await teamOfPath(house, request, paramsOf(request, TeamParams).idOrSlug);
      return showTeam(team, actorOf(request));
    },
  );

  app.post(
    '/teams',
    {
      config: { access: 'operate' },
      schema: { tags, summary: 'Creates a team', body: CreateBody, response: { 200: Team } },
    },
    async (request) => {
      const { slug, name = slug, plan = 'pro', id } = bodyOf(request, CreateBody);
      const input = { slug, name, plan, ...(id === undefined ? {} : { id }) };
      const team = await createTeam(platform, actorOf(request), input);
      house.teams.forget();
      house.sessions.forget();
      return showTeam(team, actorOf(request));
    },
  );

  app.patch(
    '/teams/:idOrSlug',
    {
      config: { access: 'operate' },
      schema: {
        tags,
        summary: 'Changes a team’s slug, name or plan',
        params: TeamParams,
        querystring: TeamQuery,
        body: PatchBody,
        response: { 200: Team },
      },
    },
    async (request) => {
      const team = await teamOfPath(house, request, paramsOf(request, TeamParams).idOrSlug);
      const { slug, name, plan } = bodyOf(request, PatchBody);
      const patch = {
        ...(slug === undefined ? {} : { slug }),
        ...(name === undefined ? {} : { name }),
        ...(plan === undefined ? {} : { plan }),
      };
      const changed = await patchTeam(platform, actorOf(request), team, patch);
      house.teams.forget();
      house.sessions.forget();
      return showTeam(changed, actorOf(request));
    },
  );
};

async function teamsOf(
  house: House,
  request: FastifyRequest,
  actor: Actor,
  page: TimePage,
): Promise<PageOf<Row<'teams'>>> {
  if (actor.role === 'OPERATOR') return listTeams(house.platform.store, page);
  const { teamId, slug } = request.query as { teamId?: string; slug?: string };
  if (request.session !== null && !teamId && !slug) {
    return { rows: request.session.memberships.map(({ team }) => team), next: null };
  }
  // A publisher of every team publishes and sees none.
  const rows = actor.teamId === null ? [] : [await teamOf(house, request)];
  return { rows, next: null };
}

/** The caller as what they are in one of their teams: somebody who signed in may be another thing in each. */
function roleIn(request: FastifyRequest, team: Row<'teams'>): Actor {
  const actor = actorOf(request);
  const own = request.session?.memberships.find((one) => one.team.id === team.id);
  return own === undefined || actor.role === 'OPERATOR' ? actor : { ...actor, role: own.role };
}

function showTeam(team: Row<'teams'>, actor: Actor) {
  const { id, slug, name, plan, created_at: createdAt, updated_at: updatedAt } = team;
  return {
    id,
    slug,
    name,
    plan,
    avatar: null,
    description: null,
    stagingPrefix: slug,
    billing: { plan },
    creatorId: team.creator_id ?? '',
    ...membershipOf(team, actor),
    createdAt,
    updatedAt,
  };
}

/** What the caller is in the team, in the words that Vercel's clients know: the operator may what an owner may. */
function membershipOf({ id: teamId, created_at: at }: Row<'teams'>, actor: Actor) {
  if (actor.role === 'PUBLISHER') return {};
  const role = actor.role === 'OPERATOR' ? 'OWNER' : actor.role;
  const uid = userIdOf(actor);
  return { membership: { confirmed: true, confirmedAt: at, created: at, createdAt: at, role, teamId, uid } };
}
