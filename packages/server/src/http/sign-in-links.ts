// The door of one-time sign-in links to the dashboard.
import { Type } from 'typebox';
import { createSignInLink } from '../platform/sign-in-links.ts';
import type { Door } from './app.ts';
import { actorOf, bodyOf } from './context.ts';
import { UserId } from './fields.ts';

const Body = Type.Union([Type.Object({ userId: Type.Optional(UserId) }), Type.Null()]);
const Link = Type.Object({ url: Type.String(), expiresAt: Type.Number() });

export const signInLinksDoor: Door = (app, house) => {
  app.post(
    '/sign-in-links',
    {
      config: { access: 'operate' },
      schema: {
        tags: ['sign-in'],
        summary: 'Makes a link that signs a person in once, within 15 minutes',
        body: Body,
        response: { 201: Link },
      },
    },
    async (request, reply) => {
      const userId = bodyOf(request, Body)?.userId;
      const link = await createSignInLink(house.platform, actorOf(request), house.publicUrl(), userId);
      return reply.code(201).header('cache-control', 'no-store').send(link);
    },
  );
};
