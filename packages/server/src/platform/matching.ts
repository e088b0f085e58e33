// To whom an event went, and why not to the others: the matching rule (store, accept) told in words, afterwards. What a
// webhook was like at the time is known as far as it has not been changed since.
import type { EventRow } from '../store/control/history.ts';
import type { Row } from '../store/control/tables.ts';
import type { WebhookRow } from '../store/control/webhooks.ts';
import type { Catalogue } from './catalogue.ts';

type Reason =
  | 'type_not_selected'
  | 'project_not_selected'
  | 'disabled'
  | 'plan'
  | 'created_later'
  | 'removed'
  | 'changed_since'
  | 'test';

/** `reason` is null where there is a delivery. `message` is a sentence either way. */
export interface Match {
  matched: boolean;
  reason: Reason | null;
  message: string;
}

const sentences: Record<Reason, (event: EventRow) => string> = {
  type_not_selected: ({ type }) => `The webhook has not selected ${type}. Add it to its events.`,
  project_not_selected: ({ project_id: project }) =>
    project === null
      ? 'The event is of no project, and the webhook is for selected projects only. Make it one for all projects.'
      : `The event is of the project ${project}, which the webhook has not selected. Add it to its projectIds.`,
  disabled: () => 'The webhook was disabled when the event was accepted. Enable it to get the next ones.',
  plan: () => 'The team is on the plan hobby, and account webhooks need pro or enterprise.',
  created_later: () => 'The webhook was created after the event was accepted.',
  removed: () => 'The webhook was removed before the event was accepted.',
  changed_since: () =>
    'The webhook would get this event as it is now, but it, its projects or the team’s plan was changed after the event was accepted.',
  test: () => 'The event was a test of another webhook.',
};

/** Whether and why `webhook` got `event`; `delivered` says whether there is a delivery. */
export function explainMatch(
  event: EventRow,
  webhook: WebhookRow,
  team: Row<'teams'>,
  catalogue: Catalogue,
  delivered: boolean,
): Match {
  if (delivered)
    return { matched: true, reason: null, message: 'The event matched, and a delivery was made.' };
  const reason = reasonAgainst(event, webhook, team, catalogue);
  const changed = webhook.updated_at > event.accepted_at && webhook.removed_at === null;
  const judgedByNow = reason === 'type_not_selected' || reason === 'project_not_selected';
  const addition =
    changed && judgedByNow ? ' It has been changed since the event; this is how it is now.' : '';
  return { matched: false, reason, message: sentences[reason](event) + addition };
}

function reasonAgainst(
  event: EventRow,
  webhook: WebhookRow,
  team: Row<'teams'>,
  catalogue: Catalogue,
): Reason {
  if (webhook.created_at > event.accepted_at) return 'created_later';
  if (webhook.removed_at !== null && webhook.removed_at <= event.accepted_at) return 'removed';
  if (event.test === 1) return 'test';
  const spelled = JSON.parse(webhook.events) as string[];
  if (!spelled.some((name) => catalogue.find(name)?.type === event.type)) return 'type_not_selected';
  const projectIds = JSON.parse(webhook.project_ids) as string[];
  const ofProject = event.project_id !== null && projectIds.includes(event.project_id);
  if (webhook.all_projects === 0 && !ofProject) return 'project_not_selected';
  if (webhook.disabled_at !== null && webhook.disabled_at <= event.accepted_at) return 'disabled';
  return team.plan === 'hobby' ? 'plan' : 'changed_since';
}
