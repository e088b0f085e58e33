// The doors of invitations: made, listed and taken back by owners, looked at and accepted by whoever has the link.
import { Type } from 'typebox';
import {
  acceptInvitation,
  createInvitation,
  hasAccount,
  needInvited,
  revokeInvitation,
} from '../platform/invitations.ts';
import { memberRoles } from '../platform/members.ts';
import { type InvitationRow, listInvitations } from '../store/control/invitations.ts';
import type { Door } from './app.ts';
import { actorOf, bodyOf, paramsOf, queryOf, scopeOf, teamOf } from './context.ts';
import { Choice, Name, Password, readPage, showPagination, TimePageQuery, TimePagination } from './fields.ts';
import { refuseForeignPage } from './same-origin.ts';
import { TeamQuery } from './schemas.ts';
import { arrivalOf, SignedInAnswer, SignInToken, welcome } from './sign-in.ts';

const Invitation = Type.Object({
  id: Type.String(),
  email: Type.String(),
  role: Type.String(),
  createdAt: Type.Number(),
  expiresAt: Type.Number(),
  invitedBy: Type.String(),
});
const Created = Type.Object({ ...Invitation.properties, url: Type.String() });
const InvitationPage = Type.Object({ invitations: Type.Array(Invitation), pagination: TimePagination });
const CreateBody = Type.Object({
  email: Type.String({ format: 'email', maxLength: 254 }),
  role: Choice(memberRoles),
});
const IdParams = Type.Object({ id: Type.String() });
const PreviewBody = Type.Object({ token: SignInToken });
const Preview = Type.Object({
  email: Type.String(),
  role: Type.String(),
  team: Type.Object({ slug: Type.String(), name: Type.String() }),
  invitedBy: Type.String(),
  expiresAt: Type.Number(),
  account: Type.Boolean({ description: 'Whether somebody with the address has an account to sign in to.' }),
});
const AcceptBody = Type.Object({
  token: SignInToken,
  name: Type.Optional(Name),
  password: Type.Optional(Password),
});

export const invitationsDoor: Door = (app, house) => {
  const { platform } = house;
  const tags = ['invitations'];

  app.post(
    '/invitations',
    {
      config: { access: 'members.write' },
      schema: {
        tags,
        summary: 'Invites an e-mail address to the team; the link is in this answer only',
        querystring: TeamQuery,
        body: CreateBody,
        response: { 201: Created },
      },
    },
    async (request, reply) => {
      const { email, role } = bodyOf(request, CreateBody);
      const team = await teamOf(house, request);
      const actor = actorOf(request);
      const { row, url } = await createInvitation(platform, actor, house.publicUrl(), team, email, role);
      return reply
        .code(201)
        .header('cache-control', 'no-store')
        .send({ ...show(row), url });
    },
  );

  app.get(
    '/invitations',
    {
      config: { access: 'members.read' },
      schema: {
        tags,
        summary: 'Lists the team’s invitations that wait to be accepted',
        querystring: TimePageQuery,
        response: { 200: InvitationPage },
      },
    },
    async (request) => {
      const page = readPage(queryOf(request, TimePageQuery));
      const team = await teamOf(house, request);
      const found = await listInvitations(platform.store, team.id, platform.clock.now(), page);
      return { invitations: found.rows.map(show), pagination: showPagination(page, found) };
    },
  );

  app.delete(
    '/invitations/:id',
    {
      config: { access: 'members.write' },
      schema: {
        tags,
        summary: 'Takes an invitation back',
        params: IdParams,
        querystring: TeamQuery,
        response: { 204: Type.Null() },
      },
    },
    async (request, reply) => {
      const { id } = paramsOf(request, IdParams);
      await revokeInvitation(platform, actorOf(request), id, await scopeOf(house, request));
      return reply.code(204).send();
    },
  );

  app.post(
    '/invitations/preview',
    {
      config: { access: 'public' },
      schema: {
        tags,
        summary: 'What an invitation is for',
        security: [],
        body: PreviewBody,
        response: { 200: Preview },
      },
    },
    async (request, reply) => {
      const invited = await needInvited(platform, bodyOf(request, PreviewBody).token);
      const { row, team } = invited;
      reply.header('cache-control', 'no-store');
      return {
        email: row.email,
        role: row.role,
        team: { slug: team.slug, name: team.name },
        invitedBy: row.inviter,
        expiresAt: row.expires_at,
        account: await hasAccount(platform, invited),
      };
    },
  );

  app.post(
    '/invitations/accept',
    {
      config: { access: 'public' },
      schema: {
        tags,
        summary: 'Accepts an invitation and signs in',
        security: [],
        body: AcceptBody,
        response: { 200: SignedInAnswer },
      },
    },
    async (request, reply) => {
      refuseForeignPage(request, house.publicUrl());
      const { token, name = null, password = null } = bodyOf(request, AcceptBody);
      const arrival = await arrivalOf(house, request, 'invitation');
      return welcome(house, reply, await acceptInvitation(platform, token, { name, password }, arrival));
    },
  );
};

function show(row: InvitationRow) {
  return {
    id: row.id,
    email: row.email,
    role: row.role,
    createdAt: row.created_at,
    expiresAt: row.expires_at,
    invitedBy: row.inviter,
  };
}
