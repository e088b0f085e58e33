// The doors of signing in: the ways there are, and the one call that makes a session.
import type { FastifyReply, FastifyRequest } from 'fastify';
import { Type } from 'typebox';
import { ApiError } from '../errors.ts';
import type { Arrival } from '../platform/sessions.ts';
import { type SignedIn, signInByLink, signInByPassword } from '../platform/sign-in.ts';
import type { SessionRow } from '../store/control/sessions.ts';
import type { Door } from './app.ts';
import { visitorOf } from './auth.ts';
import { addressOf, bodyOf, type House } from './context.ts';
import { writeSessionCookie } from './cookies.ts';
import { Address, NullableText, Password } from './fields.ts';
import { refuseForeignPage } from './same-origin.ts';

const Methods = Type.Object({
  password: Type.Boolean(),
  oidc: Type.Union([Type.Object({ name: Type.String(), startUrl: Type.String() }), Type.Null()]),
});
/** The token of a link. */
export const SignInToken = Type.String({ minLength: 1, maxLength: 200 });
const Body = Type.Object({
  token: Type.Optional(SignInToken),
  email: Type.Optional(Address),
  password: Type.Optional(Password),
});

/** Who somebody is, as signing in and the session show it. */
export const SignedInUser = Type.Object({
  id: Type.String(),
  email: Type.String(),
  username: Type.String(),
  name: NullableText,
});

export const SignedInAnswer = Type.Object({ user: SignedInUser });

/** Where the way to the OpenID provider begins. */
export const openIdStartPath = '/app/oidc/start';

export const signInDoor: Door = (app, house) => {
  const tags = ['sign-in'];
  const config = { access: 'public' } as const;

  app.get(
    '/sign-in-methods',
    {
      config,
      schema: { tags, summary: 'The ways to sign in', security: [], response: { 200: Methods } },
    },
    () => ({
      password: true,
      oidc: house.openId === null ? null : { name: house.openId.name, startUrl: openIdStartPath },
    }),
  );

  app.post(
    '/sign-in',
    {
      config,
      schema: {
        tags,
        summary:
          'Signs in with a one-time link’s token, or an e-mail address and a password; the session is a cookie',
        security: [],
        body: Body,
        response: { 200: SignedInAnswer },
      },
    },
    async (request, reply) => {
      refuseForeignPage(request, house.publicUrl());
      const { token, email, password } = bodyOf(request, Body);
      if (token !== undefined) {
        const arrival = await arrivalOf(house, request, 'link');
        return welcome(house, reply, await signInByLink(house.platform, token, arrival));
      }
      if (email === undefined || password === undefined)
        throw new ApiError('bad_request', 'Send either body.token, or body.email and body.password.');
      const arrival = await arrivalOf(house, request, 'password');
      return welcome(house, reply, await signInByPassword(house.platform, email, password, arrival));
    },
  );
};

/** Where a session that is about to start comes from. */
export async function arrivalOf(
  house: House,
  request: FastifyRequest,
  method: SessionRow['method'],
): Promise<Arrival> {
  return {
    method,
    address: addressOf(request),
    userAgent: request.headers['user-agent'] ?? null,
    replaces: await visitorOf(house, request),
  };
}

/** Gives the browser its session. */
export function welcome(house: House, reply: FastifyReply, { user, token }: SignedIn) {
  house.sessions.forget();
  reply
    .header('set-cookie', writeSessionCookie(house.publicUrl(), token))
    .header('cache-control', 'no-store');
  const { id, email, username, name } = user;
  return { user: { id, email, username, name } };
}
