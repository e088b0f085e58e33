// Signing in: by the button of a one-time link, by password, or by the organisation's provider.
import { useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { useLocation, useSearchParams } from 'wouter';
import { ApiFailure, call, sentenceOf } from '../../api/client.ts';
import type { User } from '../../api/types.ts';
import { announceSession, sessionQuery } from '../../app/session.tsx';
import { Button } from '../../kit/Button.tsx';
import { Notice } from '../../kit/Page.tsx';
import { Alone, dropToken, useToken } from './Alone.tsx';
import SignInForm from './SignInForm.tsx';

export default function SignInPage() {
  const [params] = useSearchParams();
  const [, navigate] = useLocation();
  const queries = useQueryClient();
  const [token, setToken] = useToken('sign-in');
  const [refusal, setRefusal] = useState(() => providerSentence(params.get('error')));
  const next = safeNext(params.get('next'));

  const enter = async () => {
    announceSession('in');
    await queries.fetchQuery({ ...sessionQuery, staleTime: 0 });
    navigate(next, { replace: true });
  };
  if (token !== null) {
    return (
      <LinkSignIn
        key={token}
        token={token}
        onSignedIn={enter}
        onRefused={(sentence) => {
          dropToken('sign-in');
          setToken(null);
          setRefusal(sentence);
        }}
      />
    );
  }
  return (
    <Alone title="Sign in to Posthorn">
      {refusal === null ? null : <Notice kind="error">{refusal}</Notice>}
      <SignInForm next={next} onSignedIn={() => void enter()} />
      <p className="sign-in-foot">No password yet? Whoever runs this server can make you a sign-in link.</p>
    </Alone>
  );
}

function LinkSignIn({
  token,
  onSignedIn,
  onRefused,
}: {
  token: string;
  onSignedIn(): Promise<void>;
  onRefused(sentence: string): void;
}) {
  const [isBusy, setBusy] = useState(false);
  const [failure, setFailure] = useState<string | null>(null);
  const use = async () => {
    setBusy(true);
    setFailure(null);
    try {
      await call<{ user: User }>('POST', '/v1/sign-in', { body: { token }, anonymous: true });
      dropToken('sign-in');
      await onSignedIn();
    } catch (error) {
      setBusy(false);
      // A link that is used up or too old won't get better; anything else can be tried again.
      if (error instanceof ApiFailure && (error.status === 403 || error.status === 400)) {
        onRefused(error.message);
      } else setFailure(sentenceOf(error));
    }
  };
  return (
    <Alone title="Welcome to Posthorn" lead="This link signs you in once, in this browser.">
      {failure === null ? null : <Notice kind="error">{failure}</Notice>}
      <Button kind="primary" size="large" busy={isBusy} onClick={() => void use()}>
        Sign in
      </Button>
    </Alone>
  );
}

/** Only a path of the dashboard's own. */
function safeNext(next: string | null): string {
  return next !== null && /^\/(?![/\\])/.test(next) ? next : '/';
}

/** What the provider's way back says in the address, as a sentence. */
function providerSentence(code: string | null): string | null {
  if (code === null) return null;
  return (
    providerSentences[code] ??
    'Signing in with the provider did not work. Try again; if it fails once more, the server’s log has the cause.'
  );
}

const providerSentences: Record<string, string> = {
  access_denied: 'The provider did not let you in, or you stopped there. Try again.',
  oidc_off: 'This server has no provider to sign in with. Use your password or a sign-in link.',
  oidc_state:
    'This way back from the provider was used already, or began in another browser. Try again from here.',
  oidc_unknown:
    'Nobody here is known by this identity. Ask an owner of your team for an invitation, and open it before you sign in.',
  oidc_unverified:
    'The provider does not vouch for your e-mail address. Verify it there, then open the invitation again.',
  invitation_gone: 'The invitation was used, taken back, or is too old. Ask for another one.',
  invitation_email:
    'The invitation is for another e-mail address than the provider has for you. Sign in there with the invited one.',
  sign_in_first:
    'You have an account here already. Sign in to it with your password or a link, then open the invitation again.',
  no_team: 'You are in no team any more. Ask an owner for an invitation.',
  too_many_tries: 'There were too many tries. Wait a minute, then try again.',
};
