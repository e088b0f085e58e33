// The first start: keys into the data directory, then the team `default` and its owner into the store. A later start
// finds all of it and changes nothing.
import { randomBytes } from 'node:crypto';
import {
  closeSync,
  existsSync,
  fsyncSync,
  linkSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  writeSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import type { Clock } from './clock.ts';
import { readSettings, type Settings, SettingsError } from './config.ts';
import { newSignInToken, newSortableId, newTeamId, newToken, newUserId } from './id.ts';
import { keyRow, resealSecrets } from './platform/reseal.ts';
import { hashSignInToken } from './platform/sessions.ts';
import { defaultSlug } from './platform/teams.ts';
import { writeAudit } from './store/control/audit.ts';
import type { Store } from './store/store.ts';
import type { Vault } from './vault.ts';

/** The start can't go on; the message is one sentence for the operator. */
export class StartError extends Error {
  override name = 'StartError';
}

export const databaseFile = 'posthorn.db';
export const keyFileName = 'secret-key';
const firstLinkMs = 24 * 60 * 60 * 1000;

export interface Prepared {
  settings: Settings;
  adminToken: string;
  adminTokenFile: string;
}

/**
 * Makes sure that the data directory, the operator's token and the secret key are there.
 * @throws StartError when something is unreadable, or the key of an existing store is missing
 */
export function prepareDataDir(given: Settings): Prepared {
  const { dataDir } = given;
  try {
    mkdirSync(dataDir, { recursive: true, mode: 0o700 });
  } catch (error) {
    throw new StartError(
      `The data directory ${dataDir} can't be made (${reason(error)}); set POSTHORN_DATA_DIR to one that can be written.`,
    );
  }
  const isSetUp = existsSync(join(dataDir, databaseFile));
  const keyFile = join(dataDir, keyFileName);
  let { secretKeys } = given;
  if (secretKeys.length === 0) {
    let text = readKept(keyFile);
    if (text === null) {
      if (isSetUp) {
        throw new StartError(
          `The secret key is missing: ${keyFile} is gone, and the secrets in ${databaseFile} can't be opened without it. Put the file back, or set POSTHORN_SECRET_KEY.`,
        );
      }
      text = keep(keyFile, randomBytes(32).toString('base64'));
    }
    secretKeys = readKeys(text, keyFile);
  }
  const adminTokenFile = join(dataDir, 'admin-token');
  let adminToken = given.adminToken;
  if (adminToken === null) {
    adminToken = readKept(adminTokenFile);
    if (adminToken === null) {
      if (isSetUp) {
        throw new StartError(
          `The operator's token is missing: there is no ${adminTokenFile}. Put the file back, or set POSTHORN_ADMIN_TOKEN to 24 letters and digits.`,
        );
      }
      adminToken = keep(adminTokenFile, newToken());
    }
    if (!/^[A-Za-z0-9]{24}$/.test(adminToken)) {
      throw new StartError(
        `${adminTokenFile} does not hold 24 letters and digits; write a token into it, or set POSTHORN_ADMIN_TOKEN.`,
      );
    }
  }
  return { settings: { ...given, secretKeys }, adminToken, adminTokenFile };
}

/**
 * The secret keys that a start would use, without making any: those of the setting, or of the file in the data directory.
 * @throws StartError when the file holds no key
 */
export function findSecretKeys(given: Settings): Buffer[] {
  if (given.secretKeys.length > 0) return given.secretKeys;
  const file = join(given.dataDir, keyFileName);
  const text = readKept(file);
  return text === null ? [] : readKeys(text, file);
}

function readKeys(text: string, file: string): Buffer[] {
  try {
    const { secretKeys } = readSettings({ POSTHORN_SECRET_KEY: text });
    if (secretKeys.length > 0) return secretKeys;
  } catch (error) {
    if (!(error instanceof SettingsError)) throw error;
  }
  throw new StartError(
    `${file} does not hold a secret key of 32 bytes in base64 or hex; put the right file back, or set POSTHORN_SECRET_KEY.`,
  );
}

function readKept(file: string): string | null {
  try {
    return readFileSync(file, 'utf8').trim();
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return null;
    throw new StartError(`${file} can't be read (${reason(error)}).`);
  }
}

/**
 * Written whole or not at all, there after a power cut, and never over a file that another process has just made: of
 * two first starts at the same moment one wins, and its key is the one that both use.
 */
function keep(file: string, text: string): string {
  const draft = `${file}.${process.pid}`;
  try {
    const fd = openSync(draft, 'w', 0o600);
    writeSync(fd, `${text}\n`);
    fsyncSync(fd);
    closeSync(fd);
    const isNew = giveName(draft, file);
    rmSync(draft, { force: true });
    const folder = openSync(dirname(file), 'r');
    fsyncSync(folder);
    closeSync(folder);
    return isNew ? text : (readKept(file) ?? '');
  } catch (error) {
    throw new StartError(
      `${file} can't be written (${reason(error)}); set POSTHORN_DATA_DIR to a directory that can.`,
    );
  }
}

/** Gives the draft its name; false if the name is taken. */
function giveName(draft: string, file: string): boolean {
  try {
    linkSync(draft, file);
    return true;
  } catch (error) {
    if (codeOf(error) === 'EEXIST') return false;
    // A file system without hard links.
    renameSync(draft, file);
    return true;
  }
}

const codeOf = (error: unknown): unknown =>
  error instanceof Error && 'code' in error ? error.code : undefined;

const reason = (error: unknown): string => (error instanceof Error ? error.message : String(error));

/**
 * Sets up a new store: the team `default`, one owner, a sign-in link. On a store that is set up it checks that the
 * secret key fits, seals the secrets again where it is a new one, and changes nothing else.
 * @returns the token of a one-time sign-in link, null on a store that was set up before
 * @throws StartError when no key of the list fits the store
 */
export async function setUp(parts: {
  store: Store;
  clock: Clock;
  vault: Vault;
}): Promise<{ signInToken: string | null }> {
  const { store, clock, vault } = parts;
  const { queries } = store;
  const kept = await store.read(queries.selectFrom('meta').selectAll().where('name', '=', keyRow).compile());
  const now = clock.now();
  const fingerprint = kept[0]?.value;
  if (fingerprint !== undefined) {
    if (!vault.hasKey(fingerprint)) {
      throw new StartError(
        'The secret key does not fit this store: its secrets were encrypted with another one. Put that key into POSTHORN_SECRET_KEY (after the new one, if you are changing keys).',
      );
    }
    if (fingerprint !== vault.fingerprint) await resealSecrets(store, vault, clock);
    return { signInToken: null };
  }
  const teamId = newTeamId();
  const userId = newUserId();
  const link = newSignInToken();
  const row = (table: 'meta' | 'teams' | 'users' | 'members' | 'sign_in_links', values: object) => ({
    query: queries.insertInto(table).values(values).compile(),
    rows: 1,
    otherwise: 'set up',
  });
  const outcome = await store.change({
    steps: [
      row('meta', { name: keyRow, value: vault.fingerprint }),
      row('users', {
        id: userId,
        email: 'owner@localhost',
        username: 'owner',
        name: 'Owner',
        created_at: now,
      }),
      row('teams', {
        id: teamId,
        slug: defaultSlug,
        name: 'Default',
        plan: 'pro',
        creator_id: userId,
        webhook_count: 0,
        created_at: now,
        updated_at: now,
      }),
      row('members', { team_id: teamId, user_id: userId, role: 'OWNER', created_at: now }),
      row('sign_in_links', {
        hash: hashSignInToken(link),
        user_id: userId,
        created_at: now,
        expires_at: now + firstLinkMs,
        used_at: null,
      }),
      writeAudit(store, {
        id: newSortableId(now),
        teamId,
        action: 'team.created',
        actor: 'operator',
        subject: teamId,
        detail: { slug: defaultSlug },
        address: null,
        at: now,
      }),
    ],
    events: [],
    touched: [],
    now,
  });
  // Another node set the store up at the same moment: its link is the one, and its key has to be ours.
  return outcome.kind === 'done' ? { signInToken: link } : setUp(parts);
}
