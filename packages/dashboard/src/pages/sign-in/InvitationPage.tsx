// Accepting an invitation: who invites, to which team and as what; a name and a password, or the provider.
import { useQuery, useQueryClient } from '@tanstack/react-query';
import { type FormEvent, useState } from 'react';
import { useLocation } from 'wouter';
import { call, sentenceOf } from '../../api/client.ts';
import type { InvitationPreview, User } from '../../api/types.ts';
import { announceSession, sessionQuery, teamHref } from '../../app/session.tsx';
import { Button, ButtonLink } from '../../kit/Button.tsx';
import { Field, Input } from '../../kit/Field.tsx';
import { Loaded, Notice, Skeleton } from '../../kit/Page.tsx';
import { PlainText } from '../../kit/PlainText.tsx';
import { Alone, dropToken, useToken } from './Alone.tsx';

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
  return (
    <Loaded
      query={preview}
      skeleton={
        <Alone title="Invitation">
          <Skeleton height={220} />
        </Alone>
      }
    >
      {(invitation) => <Accept token={token} invitation={invitation} />}
    </Loaded>
  );
}

function Accept({
  token,
  invitation: { email, role, team },
}: {
  token: string;
  invitation: InvitationPreview;
}) {
  const [, navigate] = useLocation();
  const queries = useQueryClient();
  const [name, setName] = useState('');
  const [password, setPassword] = useState('');
  const [isBusy, setBusy] = useState(false);
  const [failure, setFailure] = useState<string | null>(null);
  const [wrong, setWrong] = useState<string | null>(null);
  const submit = async (event: FormEvent) => {
    event.preventDefault();
    if (password !== '' && password.length < shortestPassword) {
      setWrong(`Use at least ${shortestPassword} characters.`);
      return;
    }
    setWrong(null);
    setBusy(true);
    setFailure(null);
    try {
      await call<{ user: User }>('POST', '/v1/invitations/accept', {
        anonymous: true,
        body: { token, ...(name === '' ? {} : { name }), ...(password === '' ? {} : { password }) },
      });
      dropToken('invitation');
      announceSession();
      await queries.fetchQuery({ ...sessionQuery, staleTime: 0 });
      navigate(teamHref(team.slug, ''), { replace: true });
    } catch (error) {
      setFailure(sentenceOf(error));
      setBusy(false);
    }
  };
  return (
    <Alone
      title="Join the team"
      lead={
        <>
          <strong>
            <PlainText text={team.name} />
          </strong>{' '}
          invites <PlainText text={email} /> as {role.charAt(0) + role.slice(1).toLowerCase()}.
        </>
      }
    >
      <form className="stack" onSubmit={(event) => void submit(event)} noValidate>
        {failure === null ? null : <Notice kind="error">{failure}</Notice>}
        <Field label="Your name">
          <Input
            name="name"
            autoComplete="name"
            value={name}
            onChange={(event) => setName(event.target.value)}
          />
        </Field>
        <Field
          label="Password"
          hint={`At least ${shortestPassword} characters. If you have an account already, leave it empty: yours stays.`}
          error={wrong}
        >
          <Input
            type="password"
            name="password"
            autoComplete="new-password"
            value={password}
            onChange={(event) => setPassword(event.target.value)}
          />
        </Field>
        <Button type="submit" kind="primary" size="large" busy={isBusy}>
          Accept the invitation
        </Button>
      </form>
    </Alone>
  );
}
