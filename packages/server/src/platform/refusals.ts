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
}

/** @throws ApiError forbidden, always */
export async function refuse(
  { store, clock }: Pick<Platform, 'store' | 'clock'>,
  { action, method, address, userId }: Refused,
  message: string,
): Promise<never> {
  const now = clock.now();
  const audit = writeAudit(store, {
    id: newSortableId(now),
    teamId: null,
    action,
    actor: 'visitor',
    subject: userId ?? 'unknown',
    detail: { method },
    address,
    at: now,
  });
  await store.change({ steps: [audit], events: [], touched: [], now });
  throw new ApiError('forbidden', message);
}
