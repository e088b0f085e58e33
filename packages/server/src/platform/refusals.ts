// Whoever is not let in is recorded, with nothing of what they typed, and told a sentence.
import { ApiError } from '../errors.ts';
import { newSortableId } from '../id.ts';
import { writeAudit } from '../store/control/audit.ts';
import type { Platform } from './platform.ts';

export interface Refused {
  /** `sign-in.refused` … */
  action: string;
  /** By which way they tried to come in. */
  method: string;
  address: string | null;
  /** Whose account it was about, null where there is none. */
  userId: string | null;
  /** Why, where the way has more than one reason. */
  code?: string;
}

export async function recordRefusal(
  { store, clock }: Pick<Platform, 'store' | 'clock'>,
  { action, method, address, userId, code }: Refused,
): Promise<void> {
  const now = clock.now();
  const audit = writeAudit(store, {
    id: newSortableId(now),
    teamId: null,
    action,
    actor: 'visitor',
    subject: userId ?? 'unknown',
    detail: { method, ...(code === undefined ? {} : { code }) },
    address,
    at: now,
  });
  await store.change({ steps: [audit], events: [], touched: [], now });
}

/** @throws ApiError forbidden, always */
export async function refuse(
  platform: Pick<Platform, 'store' | 'clock'>,
  refused: Refused,
  message: string,
): Promise<never> {
  await recordRefusal(platform, refused);
  throw new ApiError('forbidden', message);
}
