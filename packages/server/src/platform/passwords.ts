// Passwords: how they are hashed, and which are taken. Argon2id is Node's own (OpenSSL's), which works in threads
// beside the event loop and needs no package: 160 ms of processor time for a password, where hash-wasm 4.13, the other
// one without a native build, takes 240 on the thread that calls it (two cores, four rounds in turn). RFC 9106's second
// recommended choice of parameters: 64 MiB, three passes.
import { argon2, randomBytes, timingSafeEqual } from 'node:crypto';
import { promisify } from 'node:util';
import { ApiError } from '../errors.ts';
import { findPassword, insertPassword, replacePassword } from '../store/control/passwords.ts';
import { deleteSessionsOf } from '../store/control/sessions.ts';
import type { Row } from '../store/control/tables.ts';
import { commit, type Platform } from './platform.ts';
import { refuse } from './refusals.ts';
import { personOf, type Session } from './sessions.ts';
import { demandTry, pardon } from './throttle.ts';

const derive = promisify(argon2);

const memoryKib = 65_536;
const passes = 3;
const lanes = 4;
const tagBytes = 32;
const saltBytes = 16;

/** Fewer characters are guessed too soon by whoever got hold of the hashes. */
const leastLength = 12;
const leastDifferent = 5;

/** So many at once take 128 MiB and half of the threads that Node has for such work; the others wait. */
const mostAtOnce = 2;
const mostWaiting = 32;
let underWay = 0;
const waiting: (() => void)[] = [];

async function inTurn<Value>(work: () => Promise<Value>): Promise<Value> {
  if (underWay >= mostAtOnce) {
    if (waiting.length >= mostWaiting) {
      throw new ApiError(
        'rate_limited',
        'Too many people sign in at this moment. Try again in a few seconds.',
        {
          headers: { 'retry-after': '5' },
        },
      );
    }
    await new Promise<void>((resolve) => {
      waiting.push(resolve);
    });
  } else underWay += 1;
  try {
    return await work();
  } finally {
    const next = waiting.shift();
    if (next === undefined) underWay -= 1;
    else next();
  }
}

/** Typed on another keyboard the same password may be other code points. */
const normalise = (password: string): string => password.normalize('NFKC');

/** The hash of a password with its parameters and salt, in the PHC string format. */
export function hashPassword(password: string): Promise<string> {
  return inTurn(async () => {
    const salt = randomBytes(saltBytes);
    const tag = await derive('argon2id', {
      message: normalise(password),
      nonce: salt,
      memory: memoryKib,
      passes,
      parallelism: lanes,
      tagLength: tagBytes,
    });
    const text = (bytes: Buffer) => bytes.toString('base64').replaceAll('=', '');
    return `$argon2id$v=19$m=${memoryKib},t=${passes},p=${lanes}$${text(salt)}$${text(tag)}`;
  });
}

const phc = /^\$argon2id\$v=19\$m=(\d+),t=(\d+),p=(\d+)\$([A-Za-z0-9+/]+)\$([A-Za-z0-9+/]+)$/;

/** Nobody’s password: what is compared where there is none, so that this takes as long. */
const nobodys = `$argon2id$v=19$m=${memoryKib},t=${passes},p=${lanes}$${'A'.repeat(22)}$${'A'.repeat(43)}`;

/** Whether a password is the one that was hashed; null is never right, and takes as long to say. */
export function verifyPassword(password: string, hash: string | null): Promise<boolean> {
  const [, memory, passCount, laneCount, salt = '', tag = ''] = phc.exec(hash ?? nobodys) ?? [];
  if (tag === '') throw new Error('A password’s hash is not one that this version reads.');
  return inTurn(async () => {
    const expected = Buffer.from(tag, 'base64');
    const found = await derive('argon2id', {
      message: normalise(password),
      nonce: Buffer.from(salt, 'base64'),
      memory: Number(memory),
      passes: Number(passCount),
      parallelism: Number(laneCount),
      tagLength: expected.length,
    });
    return timingSafeEqual(found, expected) && hash !== null;
  });
}

/** @throws ApiError bad_request for a password that is guessed too easily */
export function judgePassword(
  password: string,
  user: Pick<Row<'users'>, 'email' | 'username' | 'name'>,
): void {
  const plain = normalise(password).toLowerCase();
  const characters = Array.from(plain);
  if (characters.length < leastLength)
    throw new ApiError(
      'bad_request',
      `body.password needs ${leastLength} characters or more; several words are easy to keep.`,
    );
  const own = [user.email, user.username, user.name ?? ''].map((text) => text.toLowerCase());
  if (new Set(characters).size < leastDifferent || own.includes(plain))
    throw new ApiError(
      'bad_request',
      'body.password is guessed too easily. Take several words that nobody connects with you.',
    );
}

/**
 * Gives a person a password, or another one, and ends their other sessions.
 * @param current the one they have, if they have one
 * @throws ApiError forbidden when that is not it
 */
export async function changePassword(
  platform: Platform,
  session: Session,
  address: string | null,
  password: string,
  current: string | undefined,
): Promise<void> {
  const { store } = platform;
  const { user } = session;
  judgePassword(password, user);
  const known = await findPassword(store, user.id);
  const one = { account: user.email, address };
  if (known !== null) {
    if (current === undefined)
      throw new ApiError('bad_request', 'body.current is missing: the password that you have now.');
    await demandTry(platform, one);
    if (!(await verifyPassword(current, known.hash))) {
      const refused = { action: 'password.refused', method: 'password', address, userId: user.id };
      await refuse(platform, refused, 'body.current is not your password.');
    }
  }
  const hash = await hashPassword(password);
  const at = platform.clock.now();
  await commit(platform, personOf(session, address), {
    teamId: null,
    action: known === null ? 'password.set' : 'password.changed',
    subject: user.id,
    steps: [
      known === null
        ? insertPassword(store, { user_id: user.id, hash, changed_at: at })
        : replacePassword(store, known, hash, at),
      deleteSessionsOf(store, user.id, session.id),
      ...(known === null ? [] : pardon(store, one)),
    ],
    at,
  });
}
