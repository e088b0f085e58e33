// Signing in by password or by the organisation's provider: on its own page, and over a page whose session ended.
import { useQuery } from '@tanstack/react-query';
import { KeyRound } from 'lucide-react';
import { type FormEvent, useState } from 'react';
import { call, sentenceOf } from '../../api/client.ts';
import type { SignInMethods, User } from '../../api/types.ts';
import { useDraft } from '../../app/drafts.ts';
import { Button } from '../../kit/Button.tsx';
import { Field, Input } from '../../kit/Field.tsx';
import { Loaded, Notice, Skeleton } from '../../kit/Page.tsx';
import './sign-in.css';

export const useSignInMethods = () =>
  useQuery({
    queryKey: ['sign-in methods'],
    staleTime: 60_000,
    queryFn: ({ signal }) => call<SignInMethods>('GET', '/v1/sign-in-methods', { signal, anonymous: true }),
  });

interface Props {
  /** Over a page: it must not be left, so the provider opens in another tab. */
  inPlace?: boolean;
  /** Where the provider should bring the person back to, below /app. */
  next?: string;
  onSignedIn(): void;
}

export default function SignInForm({ inPlace = false, next, onSignedIn }: Props) {
  const methods = useSignInMethods();
  return (
    <Loaded query={methods} skeleton={<Skeleton height={200} />}>
      {({ password, oidc }) => (
        <div className="stack">
          {oidc === null ? null : (
            <a
              className="button"
              data-size="large"
              data-kind={password ? 'secondary' : 'primary'}
              href={oidc.startUrl + (next === undefined ? '' : `?next=${encodeURIComponent(next)}`)}
              target={inPlace ? '_blank' : undefined}
              rel="noreferrer"
            >
              <KeyRound size={16} aria-hidden />
              <span className="button-text cut">Continue with {oidc.name}</span>
            </a>
          )}
          {oidc !== null && password ? <div className="or">or</div> : null}
          {password ? <PasswordForm onSignedIn={onSignedIn} /> : null}
          {inPlace ? (
            <p className="small quiet">
              Signed in by a link? Ask for a new one and open it in another tab; this page goes on by itself.
            </p>
          ) : null}
        </div>
      )}
    </Loaded>
  );
}

function PasswordForm({ onSignedIn }: { onSignedIn(): void }) {
  // The address outlives a reload of the tab; the password is kept nowhere.
  const [{ email }, setKept, forget] = useDraft('sign-in', { email: '' });
  const [password, setPassword] = useState('');
  const [isBusy, setBusy] = useState(false);
  const [failure, setFailure] = useState<string | null>(null);
  const submit = async (event: FormEvent) => {
    event.preventDefault();
    if (email === '' || password === '') {
      setFailure('Enter your e-mail address and your password.');
      return;
    }
    setBusy(true);
    setFailure(null);
    try {
      await call<{ user: User }>('POST', '/v1/sign-in', { body: { email, password }, anonymous: true });
      forget();
      onSignedIn();
    } catch (error) {
      setFailure(sentenceOf(error));
    } finally {
      setBusy(false);
    }
  };
  return (
    <form className="stack" onSubmit={(event) => void submit(event)} noValidate>
      {failure === null ? null : <Notice kind="error">{failure}</Notice>}
      <Field label="E-mail">
        <Input
          type="email"
          name="email"
          autoComplete="username"
          value={email}
          onChange={(event) => setKept({ email: event.target.value })}
        />
      </Field>
      <Field label="Password">
        <Input
          type="password"
          name="password"
          autoComplete="current-password"
          value={password}
          onChange={(event) => setPassword(event.target.value)}
        />
      </Field>
      <Button type="submit" kind="primary" size="large" busy={isBusy}>
        Sign in
      </Button>
    </form>
  );
}
