// Accepting an invitation: who invites, to which team and as what; then by the provider, or as somebody new with a name
// and a password, or as somebody who has an account and shows that it is theirs.
import { useQuery, useQueryClient } from '@tanstack/react-query';
import { KeyRound } from 'lucide-react';
import { type FormEvent, useState } from 'react';
import { useLocation } from 'wouter';
import { call, sentenceOf } from '../../api/client.ts';
import type { InvitationPreview, User } from '../../api/types.ts';
import { useDraft } from '../../app/drafts.ts';
import { announceSession, sessionQuery, teamHref, useSessionQuery } from '../../app/session.tsx';
import { Button, ButtonLink } from '../../kit/Button.tsx';
import { Field, Input } from '../../kit/Field.tsx';
import { Loaded, Notice, Skeleton } from '../../kit/Page.tsx';
import { PlainText } from '../../kit/PlainText.tsx';
import { Alone, dropToken, useToken } from './Alone.tsx';
import { useSignInMethods } from './SignInForm.tsx';

const shortestPassword = 12;

export default function InvitationPage() {
  const [token] = useToken('invitation');
  const preview = useQuery({
    queryKey: ['invitation', token],
    enabled: token !== null,
    staleTime: Number.POSITIVE_INFINITY,
    queryFn: ({ signal }) =>
      call<InvitationPreview>('POST', '/v1/invitations/preview', {
        body: { token },
        signal,
        anonymous: true,
      }),
  });
  if (token === null) {
    return (
      <Alone title="Invitation">
        <Notice kind="warning" title="This link is not whole">
          Open the whole link of your invitation: the part after # is what lets you in.
        </Notice>
        <ButtonLink href="/sign-in">Go to sign-in</ButtonLink>
      </Alone>
    );
  }
  if (preview.data === undefined) {
    return (
      <Alone title="Invitation">
        <Loaded query={preview} skeleton={<Skeleton height={220} />}>
          {() => null}
        </Loaded>
      </Alone>
    );
  }
  return <Accept token={token} invitation={preview.data} />;
}

function Accept({ token, invitation }: { token: string; invitation: InvitationPreview }) {
  const { email, role, team, invitedBy } = invitation;
  const [, navigate] = useLocation();
  const queries = useQueryClient();
  const session = useSessionQuery();
  const accept = async (more: { name?: string; password?: string }) => {
    await call<{ user: User }>('POST', '/v1/invitations/accept', {
      anonymous: true,
      body: { token, ...more },
    });
    dropToken('invitation');
    announceSession('in');
    await queries.fetchQuery({ ...sessionQuery, staleTime: 0 });
    navigate(teamHref(team.slug, ''), { replace: true });
  };
  const isThemselves = session.data?.user.email.toLowerCase() === email.toLowerCase();
  return (
    <Alone
      title={`Join ${team.name}`}
      lead={
        <>
          <PlainText text={invitedBy} /> invites{' '}
          <strong>
            <PlainText text={email} />
          </strong>{' '}
          to the team as {role.charAt(0) + role.slice(1).toLowerCase()}.
        </>
      }
    >
      <ByProvider token={token} />
      {isThemselves ? (
        <AcceptForm fields="none" onAccept={accept} />
      ) : (
        <AcceptForm fields={invitation.account ? 'proof' : 'new'} onAccept={accept} />
      )}
    </Alone>
  );
}

/** With the organisation's provider, where the server has one. */
function ByProvider({ token }: { token: string }) {
  const methods = useSignInMethods();
  const [isBusy, setBusy] = useState(false);
  const [failure, setFailure] = useState<string | null>(null);
  const oidc = methods.data?.oidc ?? null;
  if (oidc === null) return null;
  const go = async () => {
    setBusy(true);
    setFailure(null);
    try {
      // The invitation waits in a cookie for the way there and back.
      const { url } = await call<{ url: string }>('POST', '/v1/invitations/oidc', {
        body: { token },
        anonymous: true,
      });
      window.location.assign(url);
    } catch (error) {
      setFailure(sentenceOf(error));
      setBusy(false);
    }
  };
  return (
    <>
      {failure === null ? null : <Notice kind="error">{failure}</Notice>}
      <Button size="large" icon={KeyRound} busy={isBusy} onClick={() => void go()}>
        Join with {oidc.name}
      </Button>
      <div className="or">or</div>
    </>
  );
}

function AcceptForm({
  fields,
  onAccept,
}: {
  /** What has to be filled in: nothing, a known account's password, or what a new one needs. */
  fields: 'none' | 'proof' | 'new';
  onAccept(more: { name?: string; password?: string }): Promise<void>;
}) {
  const [{ name }, setKept, forget] = useDraft('invitation', { name: '' });
  const [password, setPassword] = useState('');
  const [isBusy, setBusy] = useState(false);
  const [failure, setFailure] = useState<string | null>(null);
  const [wrong, setWrong] = useState<string | null>(null);
  const submit = async (event: FormEvent) => {
    event.preventDefault();
    const fault =
      fields === 'new' && password !== '' && password.length < shortestPassword
        ? `Use at least ${shortestPassword} characters.`
        : fields === 'proof' && password === ''
          ? 'Enter the password of your account.'
          : null;
    setWrong(fault);
    setFailure(null);
    if (fault !== null || isBusy) return;
    setBusy(true);
    try {
      await onAccept({ ...(name === '' ? {} : { name }), ...(password === '' ? {} : { password }) });
      forget();
    } catch (error) {
      setFailure(sentenceOf(error));
      setBusy(false);
    }
  };
  return (
    <form className="stack" onSubmit={(event) => void submit(event)} noValidate>
      {failure === null ? null : <Notice kind="error">{failure}</Notice>}
      {fields === 'new' ? (
        <Field label="Your name">
          <Input
            name="name"
            autoComplete="name"
            value={name}
            onChange={(event) => setKept({ name: event.target.value })}
          />
        </Field>
      ) : null}
      {fields === 'none' ? null : (
        <Field
          label="Password"
          error={wrong}
          hint={
            fields === 'new'
              ? `At least ${shortestPassword} characters; several words are easy to keep. Without one you need a sign-in link each time.`
              : 'You have an account already: enter its password, or sign in to it in this browser and open the invitation again.'
          }
        >
          <Input
            type="password"
            name="password"
            autoComplete={fields === 'new' ? 'new-password' : 'current-password'}
            value={password}
            onChange={(event) => setPassword(event.target.value)}
          />
        </Field>
      )}
      <Button type="submit" kind="primary" size="large" busy={isBusy}>
        Accept the invitation
      </Button>
    </form>
  );
}
