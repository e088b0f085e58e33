// Account: who I am, my password, where I am signed in.
import { useQuery, useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { call, sentenceOf } from '../../api/client.ts';
import type { SignedInPlace } from '../../api/types.ts';
import { sessionQuery, useSession } from '../../app/session.tsx';
import { Badge } from '../../kit/Badge.tsx';
import { Button } from '../../kit/Button.tsx';
import { Field, Input } from '../../kit/Field.tsx';
import { Card, Loaded, PageHeader, SkeletonRows } from '../../kit/Page.tsx';
import { PlainLine, PlainText } from '../../kit/PlainText.tsx';
import { Time } from '../../kit/Time.tsx';
import { useToast } from '../../kit/Toasts.tsx';
import '../../kit/lists.css';

export default function AccountPage() {
  const { user, operator } = useSession();
  return (
    <>
      <PageHeader title="Account" />
      <Card>
        <dl className="facts">
          <div className="fact-wide">
            <dt>Name</dt>
            <dd>
              <PlainText text={user.name ?? user.username} />
            </dd>
          </div>
          <div className="fact-wide">
            <dt>E-mail address</dt>
            <dd>
              <PlainText text={user.email} />
            </dd>
          </div>
          {operator ? (
            <div className="fact-wide">
              <dt>Operator</dt>
              <dd>You run this server and reach every team.</dd>
            </div>
          ) : null}
        </dl>
      </Card>
      <Password hasPassword={user.hasPassword} email={user.email} />
      <Sessions />
    </>
  );
}

const leastPassword = 12;

function Password({ hasPassword, email }: { hasPassword: boolean; email: string }) {
  const queries = useQueryClient();
  const toast = useToast();
  const [current, setCurrent] = useState('');
  const [password, setPassword] = useState('');
  const [failure, setFailure] = useState<string | null>(null);
  const [isBusy, setBusy] = useState(false);
  const save = async () => {
    setBusy(true);
    setFailure(null);
    try {
      await call('PUT', '/v1/user/password', { body: hasPassword ? { current, password } : { password } });
      setCurrent('');
      setPassword('');
      toast('Password saved. You were signed out everywhere else.');
      await queries.invalidateQueries({ queryKey: sessionQuery.queryKey });
    } catch (error) {
      setFailure(sentenceOf(error));
    }
    setBusy(false);
  };
  return (
    <form
      onSubmit={(event) => {
        event.preventDefault();
        void save();
      }}
    >
      <Card
        title="Password"
        description={
          hasPassword
            ? 'Changing it signs you out everywhere else.'
            : 'With one you can sign in without a link.'
        }
        footer={
          <>
            <span>{`At least ${leastPassword} characters; a few words are better than a riddle.`}</span>
            <Button type="submit" kind="primary" size="small" busy={isBusy}>
              {hasPassword ? 'Change password' : 'Set password'}
            </Button>
          </>
        }
      >
        <div className="stack form">
          {/* Password managers look for a name beside the password. */}
          <input type="text" hidden readOnly autoComplete="username" value={email} />
          {hasPassword ? (
            <Field label="Present password">
              <Input
                type="password"
                autoComplete="current-password"
                value={current}
                onChange={(event) => setCurrent(event.target.value)}
              />
            </Field>
          ) : null}
          <Field label="New password" error={failure}>
            <Input
              type="password"
              autoComplete="new-password"
              value={password}
              onChange={(event) => setPassword(event.target.value)}
            />
          </Field>
        </div>
      </Card>
    </form>
  );
}

function Sessions() {
  const queries = useQueryClient();
  const toast = useToast();
  const sessions = useQuery({
    queryKey: ['sessions'],
    queryFn: ({ signal }) => call<{ sessions: SignedInPlace[] }>('GET', '/v1/sessions', { signal }),
  });
  const end = async (id: string) => {
    try {
      await call('DELETE', `/v1/sessions/${encodeURIComponent(id)}`);
      toast('Signed out there.');
    } catch (error) {
      toast(sentenceOf(error), 'error');
    }
    await queries.invalidateQueries({ queryKey: ['sessions'] });
  };
  return (
    <Card title="Where you are signed in" flush>
      <Loaded query={sessions} skeleton={<SkeletonRows rows={2} />}>
        {({ sessions: list }) => (
          <ul className="lines">
            {list.map((session) => (
              <li key={session.id} className="line-row">
                <div className="grow">
                  <PlainLine text={session.userAgent ?? 'Unknown browser'} />
                  <span className="small quiet">
                    {session.address ?? 'unknown address'}, last seen <Time at={session.lastSeenAt} />
                  </span>
                </div>
                {session.current ? (
                  <Badge tone="green">This one</Badge>
                ) : (
                  <Button size="small" onClick={() => void end(session.id)}>
                    Sign out
                  </Button>
                )}
              </li>
            ))}
          </ul>
        )}
      </Loaded>
    </Card>
  );
}
