// The door of members: Vercel's list, invitation, change of role and removal.
import { Type } from 'typebox';
import { addMember, changeRole, memberRoles, needMember, removeMember } from '../platform/members.ts';
import { listMembers, type MemberRow } from '../store/control/members.ts';
import type { Door } from './app.ts';
import { actorOf, bodyOf, paramsOf, queryOf } from './context.ts';
import { Choice, OneOrMany, readPage, showPagination, TimePageQuery, TimePagination } from './fields.ts';
import { TeamQuery } from './schemas.ts';
import { teamOfPath } from './teams.ts';

const Role = Choice(memberRoles);
const Member = Type.Object({
  uid: Type.String(),
  email: Type.String(),
  username: Type.String(),
  name: Type.Optional(Type.String()),
  role: Type.String(),
  confirmed: Type.Boolean(),
  createdAt: Type.Number(),
});
const MemberPage = Type.Object({
  members: Type.Array(Member),
  pagination: Type.Object({ ...TimePagination.properties, hasNext: Type.Boolean() }),
});
const Invited = Type.Object({
  uid: Type.String(),
  email: Type.String(),
  username: Type.String(),
  role: Type.String(),
  teamRoles: Type.Array(Type.String()),
});
const Invitation = Type.Object({
  email: Type.String({ format: 'email', maxLength: 254 }),
  role: Type.Optional(Role),
});
const Invitations = OneOrMany(Invitation, { minItems: 1, maxItems: 1 });
const RoleBody = Type.Object({ role: Role });
const Changed = Type.Object({ id: Type.String() });
const TeamParams = Type.Object({ idOrSlug: Type.String() });
const MemberParams = Type.Object({ idOrSlug: Type.String(), uid: Type.String() });
const ListQuery = Type.Object({
  ...TimePageQuery.properties,
  role: Type.Optional(Role),
  search: Type.Optional(Type.String({ maxLength: 100 })),
});

export const membersDoor: Door = (app, house) => {
  const { platform } = house;
  const tags = ['members'];

  app.get(
    '/teams/:idOrSlug/members',
    {
      config: { access: 'members.read', version: 'v3' },
      schema: {
        tags,
        summary: 'Lists a team’s members',
        params: TeamParams,
        querystring: ListQuery,
        response: { 200: MemberPage },
      },
    },
    async (request) => {
      const team = await teamOfPath(house, request, paramsOf(request, TeamParams).idOrSlug);
      const query = queryOf(request, ListQuery);
      const page = readPage(query);
      const filter = { role: query.role ?? null, search: query.search ?? null };
      const found = await listMembers(platform.store, team.id, filter, page);
      return {
        members: found.rows.map(showMember),
        pagination: { ...showPagination(page, found), hasNext: found.next !== null },
      };
    },
  );

  app.post(
    '/teams/:idOrSlug/members',
    {
      config: { access: 'members.write' },
      schema: {
        tags,
        summary: 'Adds the person with an e-mail address to the team',
        params: TeamParams,
        querystring: TeamQuery,
        body: Invitations,
        response: { 200: Invited },
      },
    },
    async (request) => {
      const team = await teamOfPath(house, request, paramsOf(request, TeamParams).idOrSlug);
      // Vercel's v2 takes an array, and answers for the one it holds.
      const body = bodyOf(request, Invitations);
      const [invitation] = Array.isArray(body) ? body : [body];
      if (invitation === undefined) throw new Error('An array without items passed the schema.');
      const { email, role = 'VIEWER' } = invitation;
      const member = await addMember(platform, actorOf(request), team, email, role);
      return {
        uid: member.user_id,
        email: member.email,
        username: member.username,
        role: member.role,
        teamRoles: [member.role],
      };
    },
  );

  app.patch(
    '/teams/:idOrSlug/members/:uid',
    {
      config: { access: 'members.write' },
      schema: {
        tags,
        summary: 'Gives a member another role',
        params: MemberParams,
        querystring: TeamQuery,
        body: RoleBody,
        response: { 200: Changed },
      },
    },
    async (request) => {
      const { idOrSlug, uid } = paramsOf(request, MemberParams);
      const team = await teamOfPath(house, request, idOrSlug);
      const member = await needMember(platform, team, uid);
      await changeRole(platform, actorOf(request), team, member, bodyOf(request, RoleBody).role);
      house.tokens.forget();
      house.sessions.forget();
      return { id: team.id };
    },
  );

  app.delete(
    '/teams/:idOrSlug/members/:uid',
    {
      config: { access: 'members.write' },
      schema: {
        tags,
        summary: 'Takes a member from the team, and revokes the member’s tokens for it',
        params: MemberParams,
        querystring: TeamQuery,
        response: { 200: Changed },
      },
    },
    async (request) => {
      const { idOrSlug, uid } = paramsOf(request, MemberParams);
      const team = await teamOfPath(house, request, idOrSlug);
      const member = await needMember(platform, team, uid);
      await removeMember(platform, actorOf(request), team, member);
      house.tokens.forget();
      house.sessions.forget();
      return { id: team.id };
    },
  );
};

function showMember(member: MemberRow) {
  return {
    uid: member.user_id,
    email: member.email,
    username: member.username,
    ...(member.name === null ? {} : { name: member.name }),
    role: member.role,
    confirmed: true,
    createdAt: member.created_at,
  };
}
