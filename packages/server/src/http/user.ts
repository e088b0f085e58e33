// The door of the caller's own user.
import { Type } from 'typebox';
import { whoIs } from '../platform/users.ts';
import type { Door } from './app.ts';
import { actorOf } from './context.ts';
import { NullableNumber, NullableText } from './fields.ts';

const User = Type.Object({
  user: Type.Object({
    id: Type.String(),
    uid: Type.String(),
    email: Type.String(),
    username: Type.String(),
    name: NullableText,
    avatar: Type.Null(),
    defaultTeamId: NullableText,
    createdAt: Type.Optional(NullableNumber),
  }),
});

export const userDoor: Door = (app, house) => {
  app.get(
    '/user',
    {
      config: { access: 'token', version: 'v2' },
      schema: { tags: ['user'], summary: 'Gets the user behind the token', response: { 200: User } },
    },
    async (request) => {
      const actor = actorOf(request);
      const { createdAt, ...user } = await whoIs(house.platform.store, actor);
      return {
        user: {
          ...user,
          uid: user.id,
          avatar: null,
          defaultTeamId: actor.teamId,
          ...(createdAt === null ? {} : { createdAt }),
        },
      };
    },
  );
};
