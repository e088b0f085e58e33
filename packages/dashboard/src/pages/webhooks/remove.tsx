// Removing a webhook: asked first, with its name and the deliveries that would be canceled with it.
import { useTeam } from '../../app/session.tsx';
import { useConfirm } from '../../kit/Confirm.tsx';
import { countOf } from '../../kit/format.ts';
import { PlainText } from '../../kit/PlainText.tsx';
import { useToast } from '../../kit/Toasts.tsx';
import { readActivity, useWebhooksChanged, webhookPath } from './queries.ts';

/** Resolves with whether it was removed. */
export function useRemoveWebhook(): (webhook: { id: string; url: string }) => Promise<boolean> {
  const team = useTeam();
  const ask = useConfirm();
  const toast = useToast();
  const changed = useWebhooksChanged();
  return async ({ id, url }) => {
    // Read now: what the list shows may be half a minute old. Without an answer the question is asked all the same.
    const pending = await readActivity(team).then(
      ({ webhooks }) => webhooks.find((one) => one.id === id)?.pending ?? 0,
      () => null,
    );
    const done = await ask({
      title: 'Remove this webhook?',
      confirm: 'Remove webhook',
      danger: true,
      body: (
        <div className="stack">
          <div className="quoted mono">
            <PlainText text={url} />
          </div>
          <p>
            {pending === null
              ? 'Its pending deliveries are canceled.'
              : pending === 0
                ? 'It has no pending deliveries.'
                : `Its ${countOf(pending, 'pending delivery', 'pending deliveries')} ${pending === 1 ? 'is' : 'are'} canceled.`}{' '}
            No further events are sent to it. This can’t be undone.
          </p>
        </div>
      ),
      act: () => team.call('DELETE', webhookPath(id)),
    });
    if (done) {
      toast('The webhook is removed.');
      await changed();
    }
    return done;
  };
}
