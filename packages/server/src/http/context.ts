// What a request carries once it has passed the door: who calls, for which team.
import { isIP } from 'node:net';
import type { FastifyRequest } from 'fastify';
import type { Static, TSchema } from 'typebox';
import type { Actor, Permission } from '../platform/actor.ts';
import type { OpenId } from '../platform/open-id.ts';
import type { Platform } from '../platform/platform.ts';
import type { Quotas } from '../platform/quotas.ts';
import type { Session, SessionBook } from '../platform/sessions.ts';
import type { TeamBook } from '../platform/teams.ts';
import type { TokenBook } from '../platform/tokens.ts';
import type { Row } from '../store/control/tables.ts';

/** Everything the doors work with. */
export interface House {
  platform: Platform;
  teams: TeamBook;
  tokens: TokenBook;
  sessions: SessionBook;
  /** The OpenID provider, null where none is set. */
  openId: OpenId | null;
  quotas: Quotas;
  version: string;
  /** The address that people reach this server at, for links and cookies. */
  publicUrl(): string;
}

/**
 * Who may use a route: everybody, any token or session, those who signed in whatever they are in a team, or those
 * whose role has a permission.
 */
export type Access = 'public' | 'token' | 'session' | Permission;

declare module 'fastify' {
  interface FastifyContextConfig {
    /** Every route says who may use it. */
    access?: Access;
    /** The version that stands in the OpenAPI document's path; any version is answered. Default v1. */
    version?: string;
  }
  interface FastifyRequest {
    actor: Actor | null;
    /** Of those who signed in; null for callers with a token. */
    session: Session | null;
  }
}

/** The caller. Only routes with access other than `public` have one. */
export function actorOf(request: FastifyRequest): Actor {
  if (request.actor === null) throw new Error(`The route ${request.url} is public and has no caller.`);
  return request.actor;
}

/**
 * Where a call came from: through the proxies that are trusted, and what they say only if it is an address.
 */
export function addressOf(request: FastifyRequest): string | null {
  const { ip } = request;
  return isIP(ip) === 0 ? (request.socket.remoteAddress ?? null) : ip;
}

/** The caller's session. Only routes with access `session` are sure to have one. */
export function sessionOf(request: FastifyRequest): Session {
  if (request.session === null) throw new Error(`The route ${request.url} is not for sessions alone.`);
  return request.session;
}

/** The team that the call is for, by `?teamId=` or `?slug=`, else the token's. */
export function teamOf(house: House, request: FastifyRequest): Row<'teams'> | Promise<Row<'teams'>> {
  return house.teams.ofCall(actorOf(request), request.query as { teamId?: string; slug?: string });
}

/**
 * The teams in which a thing may be looked for by its id: null means all (the operator without a team).
 * A foreign `teamId` is refused as everywhere.
 */
export async function scopeOf(house: House, request: FastifyRequest): Promise<string | null> {
  const { teamId, slug } = request.query as { teamId?: string; slug?: string };
  const actor = actorOf(request);
  if (actor.role === 'OPERATOR' && !teamId && !slug) return null;
  return (await teamOf(house, request)).id;
}

/** The validated body of a request, typed by the schema its route declared. */
export function bodyOf<Schema extends TSchema>(request: FastifyRequest, _schema: Schema): Static<Schema> {
  return request.body as Static<Schema>;
}

/** The validated query of a request, typed by the schema its route declared. */
export function queryOf<Schema extends TSchema>(request: FastifyRequest, _schema: Schema): Static<Schema> {
  return request.query as Static<Schema>;
}

/** The validated path parameters of a request, typed by the schema its route declared. */
export function paramsOf<Schema extends TSchema>(request: FastifyRequest, _schema: Schema): Static<Schema> {
  return request.params as Static<Schema>;
}
