// Signature check: whether a body, a signature and a secret fit, and if not, which usual mistake was made.
import { useQuery } from '@tanstack/react-query';
import { CircleCheck } from 'lucide-react';
import { useEffect, useState } from 'react';
import type { FullDelivery } from '../../api/types.ts';
import { useDraft } from '../../app/drafts.ts';
import { useTeam } from '../../app/session.tsx';
import { useUrlState } from '../../app/url-state.ts';
import { Code } from '../../kit/Code.tsx';
import { Field, Input, Textarea } from '../../kit/Field.tsx';
import { Card, Notice, PageHeader } from '../../kit/Page.tsx';
import { checkSignature, signatureOf, type Verdict } from './signature.ts';

export default function SignatureCheckPage() {
  const { call, key, href } = useTeam();
  const [{ delivery: deliveryId }] = useUrlState(['delivery']);
  const [draft, setDraft] = useDraft(`signature ${deliveryId}`, { body: '', header: '' });
  const [secret, setSecret] = useState('');
  const delivery = useQuery({
    queryKey: key('delivery', deliveryId),
    enabled: deliveryId !== '',
    queryFn: ({ signal }) =>
      call<FullDelivery>('GET', `/v1/deliveries/${encodeURIComponent(deliveryId)}`, { signal }),
  });
  const sent = delivery.data?.attempts.at(-1)?.request;
  const taken =
    sent === undefined ? null : { body: sent.body, header: sent.headers['x-vercel-signature'] ?? '' };
  // Once; what is typed afterwards stays.
  useEffect(() => {
    if (taken !== null && draft.body === '' && draft.header === '') setDraft(taken);
  });
  const result = useVerdict(draft.body, draft.header, secret);
  return (
    <>
      <PageHeader
        title="Signature check"
        description="Says whether a signature fits, and which usual mistake was made if not. Everything is computed in this browser: the secret goes nowhere and is not kept."
        parent={
          deliveryId === ''
            ? { label: 'Deliveries', href: href('deliveries') }
            : { label: 'Delivery', href: href(`deliveries/${deliveryId}`) }
        }
      />
      <Card>
        <div className="stack form">
          {deliveryId === '' ? null : (
            <Notice>
              {taken === null
                ? 'This delivery has no attempt yet, so there is nothing to take over.'
                : 'Body and signature are those of this delivery’s last attempt. To find out what your handler does, paste the body as it saw it.'}
            </Notice>
          )}
          <Field label="Body" hint="The raw body, byte for byte as it came.">
            <Textarea
              mono
              rows={8}
              value={draft.body}
              onChange={(event) => setDraft({ ...draft, body: event.target.value })}
            />
          </Field>
          <Field
            label="Signature"
            hint="The value of the header x-vercel-signature, or what your code computed."
          >
            <Input
              mono
              value={draft.header}
              onChange={(event) => setDraft({ ...draft, header: event.target.value })}
            />
          </Field>
          <Field label="Secret" hint="The webhook’s secret, shown once when it was created.">
            <Input
              mono
              type="password"
              autoComplete="off"
              value={secret}
              onChange={(event) => setSecret(event.target.value)}
            />
          </Field>
          <div role="status" className="stack">
            {result === null ? (
              <p className="quiet">Fill in all three: the answer appears here.</p>
            ) : (
              <Answer verdict={result.verdict} expected={result.expected} />
            )}
          </div>
        </div>
      </Card>
    </>
  );
}

interface Result {
  verdict: Verdict;
  expected: string;
}

const typingMs = 200;

function useVerdict(body: string, header: string, secret: string): Result | null {
  const [result, setResult] = useState<Result | null>(null);
  useEffect(() => {
    let isCurrent = true;
    const look = async () => {
      const isWhole = body !== '' && header !== '' && secret !== '';
      const next = isWhole
        ? { verdict: await checkSignature(body, header, secret), expected: await signatureOf(body, secret) }
        : null;
      if (isCurrent) setResult(next);
    };
    const timer = setTimeout(() => void look(), typingMs);
    return () => {
      isCurrent = false;
      clearTimeout(timer);
    };
  }, [body, header, secret]);
  return result;
}

function Answer({ verdict, expected }: Result) {
  switch (verdict.kind) {
    case 'match':
      return (
        <div className="verdict">
          <CircleCheck size={18} aria-hidden />
          <strong>The signature fits this body and this secret.</strong>
        </div>
      );
    case 'mistake':
      return (
        <>
          <Notice kind="warning" title="It does not fit as it is, and this is why">
            <ul className="mistakes">
              {verdict.mistakes.map((mistake) => (
                <li key={mistake}>{mistake}</li>
              ))}
            </ul>
          </Notice>
          <Expected expected={expected} />
        </>
      );
    case 'unknown':
      return (
        <>
          <Notice kind="error" title="The signature does not fit">
            None of the usual mistakes explains it. Most likely the secret is another webhook’s, or was
            rotated since; else the body was changed on its way.
          </Notice>
          <Expected expected={expected} />
        </>
      );
  }
}

const Expected = ({ expected }: { expected: string }) => (
  <Code title="For this body and this secret it would be" text={expected} what="the signature" />
);
