// Why no more webhooks can be created: the plan, or as many as the team may have.
import type { WebhookActivity } from '../../api/types.ts';
import { useTeam } from '../../app/session.tsx';

export const usualLimit = 20;

export const hobbySentence = 'Webhooks need the Pro or Enterprise plan; this team is on Hobby.';

/** A sentence, or null where one can be created. */
export function useWhyNoMore({ used, limit }: Pick<WebhookActivity, 'limit' | 'used'>): string | null {
  const { team } = useTeam();
  if (team.plan === 'hobby') return hobbySentence;
  if (used < limit) return null;
  return `The team has ${used} of ${limit} webhooks, which is the most. Remove one first.`;
}
