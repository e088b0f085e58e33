// Settings → Tokens: for machines that call the API. A token's text is shown once.
import { useQuery, useQueryClient } from '@tanstack/react-query';
import { KeyRound, Plus } from 'lucide-react';
import { useState } from 'react';
import { sentenceOf } from '../../api/client.ts';
import type { Role, Token } from '../../api/types.ts';
import { now } from '../../app/clock.ts';
import { useDraft } from '../../app/drafts.ts';
import { useSession, useTeam } from '../../app/session.tsx';
import { Badge } from '../../kit/Badge.tsx';
import { Button } from '../../kit/Button.tsx';
import { Code } from '../../kit/Code.tsx';
import { useConfirm } from '../../kit/Confirm.tsx';
import { Dialog } from '../../kit/Dialog.tsx';
import { Field, Input, Select } from '../../kit/Field.tsx';
import { Card, Empty, Loaded, Notice, PageHeader, SkeletonRows } from '../../kit/Page.tsx';
import { PlainLine, PlainText } from '../../kit/PlainText.tsx';
import { Time } from '../../kit/Time.tsx';
import { roleHints, roleOptions } from '../members/roles.ts';
import '../../kit/lists.css';

const dayMs = 86_400_000;
const lifetimes = [
  { value: '', label: 'Never' },
  { value: '1', label: 'In a day' },
  { value: '30', label: 'In 30 days' },
  { value: '90', label: 'In 90 days' },
  { value: '365', label: 'In a year' },
];

export default function TokensPage() {
  const { call, key, may } = useTeam();
  const queries = useQueryClient();
  const confirm = useConfirm();
  const [isCreating, setCreating] = useState(false);
  const tokens = useQuery({
    queryKey: key('tokens'),
    enabled: may('tokens.write'),
    queryFn: ({ signal }) =>
      call<{ tokens: Token[] }>('GET', '/v1/tokens', { signal, query: { limit: 100 } }),
  });
  const revoke = async ({ id, name }: Token) => {
    const done = await confirm({
      title: 'Revoke this token?',
      body: (
        <>
          Calls with <PlainText text={name} /> are refused from now on. This can’t be undone.
        </>
      ),
      confirm: 'Revoke token',
      danger: true,
      act: () => call('DELETE', `/v1/tokens/${encodeURIComponent(id)}`),
    });
    if (done) await queries.invalidateQueries({ queryKey: key('tokens') });
  };
  if (!may('tokens.write')) {
    return (
      <>
        <PageHeader title="Tokens" />
        <Notice>Only an owner of the team creates and sees its tokens.</Notice>
      </>
    );
  }
  return (
    <>
      <PageHeader
        title="Tokens"
        description="For machines that call the API in this team’s name. Each is shown once, when it is created."
        actions={
          <Button kind="primary" icon={Plus} onClick={() => setCreating(true)}>
            Create token
          </Button>
        }
      />
      <Card flush>
        <Loaded query={tokens} skeleton={<SkeletonRows rows={3} />}>
          {({ tokens: list }) =>
            list.length === 0 ? (
              <Empty icon={KeyRound} title="No tokens yet">
                <Code
                  text={`curl ${location.origin}/v1/webhooks -H "Authorization: Bearer <token>"`}
                  what="the command"
                />
              </Empty>
            ) : (
              <ul className="lines">
                {list.map((token) => (
                  <li key={token.id} className="line-row">
                    <div className="grow">
                      <PlainLine text={token.name} />
                      <span className="small quiet">
                        {token.lastUsedAt === null ? (
                          'Never used'
                        ) : (
                          <>
                            Last used <Time at={token.lastUsedAt} />
                          </>
                        )}
                        {token.expiresAt === null ? null : (
                          <>
                            {', '}
                            {token.expiresAt < now() ? 'expired' : 'expires'} <Time at={token.expiresAt} />
                          </>
                        )}
                      </span>
                    </div>
                    <Badge>{token.role.charAt(0) + token.role.slice(1).toLowerCase()}</Badge>
                    <Button
                      size="small"
                      aria-label={`Revoke ${token.name}`}
                      onClick={() => void revoke(token)}
                    >
                      Revoke
                    </Button>
                  </li>
                ))}
              </ul>
            )
          }
        </Loaded>
      </Card>
      {isCreating ? <Create onClose={() => setCreating(false)} /> : null}
    </>
  );
}

function Create({ onClose }: { onClose(): void }) {
  const { call, key, team } = useTeam();
  const { operator } = useSession();
  const queries = useQueryClient();
  const [draft, setDraft, forget] = useDraft<{ name: string; role: Role; days: string }>(`token ${team.id}`, {
    name: '',
    role: 'MEMBER',
    days: '90',
  });
  const { name, role, days } = draft;
  const [failure, setFailure] = useState<string | null>(null);
  const [isBusy, setBusy] = useState(false);
  const [token, setToken] = useState<string | null>(null);
  const create = async () => {
    setBusy(true);
    setFailure(null);
    try {
      const made = await call<{ token: string }>('POST', '/v1/tokens', {
        body: {
          name: name.trim(),
          role,
          ...(days === '' ? {} : { expiresAt: now() + Number(days) * dayMs }),
        },
      });
      setToken(made.token);
      forget();
      await queries.invalidateQueries({ queryKey: key('tokens') });
    } catch (error) {
      setFailure(sentenceOf(error));
    }
    setBusy(false);
  };
  if (token !== null) {
    return (
      <Dialog
        open
        title="Token created"
        description="Copy it now: it is not shown again, and not kept in a form that could be."
        footer={
          <Button kind="primary" onClick={onClose}>
            Done
          </Button>
        }
      >
        <Code text={token} what="the token" />
      </Dialog>
    );
  }
  return (
    <Dialog
      open
      onClose={onClose}
      title="Create token"
      footer={
        <>
          <Button onClick={onClose}>Cancel</Button>
          <Button kind="primary" type="submit" form="create-token" busy={isBusy}>
            Create
          </Button>
        </>
      }
    >
      <form
        id="create-token"
        className="stack"
        onSubmit={(event) => {
          event.preventDefault();
          void create();
        }}
      >
        <Field label="Name" error={failure} hint="What will use it: “CI”, “billing service”.">
          <Input
            autoFocus
            value={name}
            maxLength={100}
            onChange={(event) => setDraft({ ...draft, name: event.target.value })}
          />
        </Field>
        <Field label="Role" hint={roleHints[role]}>
          <Select
            options={operator ? [...roleOptions, { value: 'PUBLISHER', label: 'Publisher' }] : roleOptions}
            value={role}
            onChange={(event) => setDraft({ ...draft, role: event.target.value as Role })}
          />
        </Field>
        <Field label="Expires">
          <Select
            options={lifetimes}
            value={days}
            onChange={(event) => setDraft({ ...draft, days: event.target.value })}
          />
        </Field>
      </form>
    </Dialog>
  );
}
