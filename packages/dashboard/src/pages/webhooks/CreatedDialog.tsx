// Webhook Created: the secret once, a handler that verifies with it, a test event, and Done.
import { lazy, Suspense } from 'react';
import type { CreatedWebhook } from '../../api/types.ts';
import { Button } from '../../kit/Button.tsx';
import { Dialog } from '../../kit/Dialog.tsx';
import { Skeleton } from '../../kit/Page.tsx';
import { PlainText } from '../../kit/PlainText.tsx';
import { SecretBox } from './SecretBox.tsx';
import { SendTest } from './SendTest.tsx';

const SampleHandlers = lazy(() =>
  import('./SampleHandlers.tsx').then((room) => ({ default: room.SampleHandlers })),
);

export function CreatedDialog({ webhook, onDone }: { webhook: CreatedWebhook | null; onDone(): void }) {
  return (
    // No other way out than Done: the secret must not be lost by a stray Escape.
    <Dialog
      open={webhook !== null}
      size="large"
      title="Webhook Created"
      footer={
        <Button kind="primary" onClick={onDone}>
          Done
        </Button>
      }
    >
      {webhook === null ? null : (
        <div className="created">
          <p className="quiet">
            Events are sent to{' '}
            <span className="mono">
              <PlainText text={webhook.url} />
            </span>{' '}
            from now on.
          </p>
          <section>
            <h3>Secret</h3>
            <SecretBox secret={webhook.secret} />
          </section>
          <section>
            <h3>Handle requests</h3>
            <p className="quiet small">
              Put the secret into <code>WEBHOOK_SECRET</code>. This handler takes only what Posthorn has
              signed.
            </p>
            <Suspense fallback={<Skeleton height={360} />}>
              <SampleHandlers />
            </Suspense>
          </section>
          <SendTest webhookId={webhook.id} type={webhook.events[0]} />
        </div>
      )}
    </Dialog>
  );
}
