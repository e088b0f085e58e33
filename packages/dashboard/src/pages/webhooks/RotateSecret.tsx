// Giving a webhook another secret, with a time in which receivers that still have the old one go on working.
import { useState } from 'react';
import { sentenceOf } from '../../api/client.ts';
import type { Webhook } from '../../api/types.ts';
import { useTeam } from '../../app/session.tsx';
import { Button } from '../../kit/Button.tsx';
import { Dialog } from '../../kit/Dialog.tsx';
import { Field, Select } from '../../kit/Field.tsx';
import { Card, Notice } from '../../kit/Page.tsx';
import { webhookPath } from './queries.ts';
import { SecretBox } from './SecretBox.tsx';

const overlaps = [
  { value: '0', label: 'None: the new secret at once' },
  { value: '3600', label: '1 hour' },
  { value: '86400', label: '24 hours' },
  { value: '604800', label: '7 days' },
];

export function RotateSecret({ webhook }: { webhook: Webhook }) {
  const { call } = useTeam();
  const [isOpen, setOpen] = useState(false);
  const [overlap, setOverlap] = useState('86400');
  const [secret, setSecret] = useState<string | null>(null);
  const [failure, setFailure] = useState<string | null>(null);
  const [isBusy, setBusy] = useState(false);
  const rotate = async () => {
    setBusy(true);
    setFailure(null);
    try {
      const answer = await call<{ secret: string }>('POST', `${webhookPath(webhook.id)}/rotate-secret`, {
        body: { overlap: Number(overlap) },
      });
      setSecret(answer.secret);
    } catch (error) {
      setFailure(sentenceOf(error));
    } finally {
      setBusy(false);
    }
  };
  const close = () => {
    setOpen(false);
    setSecret(null);
    setFailure(null);
  };
  return (
    <Card
      title="Secret"
      description="It signs every request and is never shown again. If it may be known to others, give the webhook a new one."
      actions={
        <Button size="small" onClick={() => setOpen(true)}>
          Rotate secret
        </Button>
      }
    >
      <p className="quiet small">
        <code>x-vercel-signature</code> is the hex HMAC-SHA1 of the body; <code>webhook-signature</code>{' '}
        follows Standard Webhooks, with the same secret.
      </p>
      {secret === null ? (
        <Dialog
          open={isOpen}
          onClose={close}
          title="Rotate the secret?"
          description="A new secret is made and shown once."
          footer={
            <>
              <Button onClick={close}>Cancel</Button>
              <Button kind="primary" busy={isBusy} onClick={() => void rotate()}>
                Rotate secret
              </Button>
            </>
          }
        >
          <div className="stack">
            {failure === null ? null : <Notice kind="error">{failure}</Notice>}
            <Field
              label="Overlap"
              hint="For so long x-vercel-signature is still made with the old secret, and webhook-signature carries both: time to give your handler the new one."
            >
              <Select
                options={overlaps}
                value={overlap}
                onChange={(event) => setOverlap(event.target.value)}
              />
            </Field>
          </div>
        </Dialog>
      ) : (
        <Dialog
          open={isOpen}
          title="New secret"
          footer={
            <Button kind="primary" onClick={close}>
              Done
            </Button>
          }
        >
          <SecretBox secret={secret} />
        </Dialog>
      )}
    </Card>
  );
}
