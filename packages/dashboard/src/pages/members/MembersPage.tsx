// Settings → Members: who is in the team with which role, and invitations that wait.
import { useQuery, useQueryClient } from '@tanstack/react-query';
import { UserPlus } from 'lucide-react';
import { useState } from 'react';
import { sentenceOf } from '../../api/client.ts';
import type { Invitation, Member, Role } from '../../api/types.ts';
import { useDraft } from '../../app/drafts.ts';
import { useSession, useTeam } from '../../app/session.tsx';
import { Button } from '../../kit/Button.tsx';
import { Code } from '../../kit/Code.tsx';
import { useConfirm } from '../../kit/Confirm.tsx';
import { Dialog } from '../../kit/Dialog.tsx';
import { Field, Input, Select } from '../../kit/Field.tsx';
import { exactTime } from '../../kit/format.ts';
import { Card, Loaded, Notice, PageHeader, SkeletonRows } from '../../kit/Page.tsx';
import { PlainLine, PlainText } from '../../kit/PlainText.tsx';
import { Time } from '../../kit/Time.tsx';
import { useToast } from '../../kit/Toasts.tsx';
import { roleHints, roleOptions } from './roles.ts';
import '../../kit/lists.css';

export default function MembersPage() {
  const { may } = useTeam();
  const [isInviting, setInviting] = useState(false);
  return (
    <>
      <PageHeader
        title="Members"
        description="People who sign in to this team. Machines have tokens instead."
        actions={
          <Button
            kind="primary"
            icon={UserPlus}
            why={may('members.write') ? null : 'Only an owner invites people.'}
            onClick={() => setInviting(true)}
          >
            Invite
          </Button>
        }
      />
      <MemberList />
      <InvitationList />
      {isInviting ? <Invite onClose={() => setInviting(false)} /> : null}
    </>
  );
}

function MemberList() {
  const { call, key, team, may } = useTeam();
  const { user } = useSession();
  const queries = useQueryClient();
  const confirm = useConfirm();
  const toast = useToast();
  const path = `/teams/${encodeURIComponent(team.id)}/members`;
  const members = useQuery({
    queryKey: key('members'),
    queryFn: ({ signal }) =>
      call<{ members: Member[] }>('GET', `/v3${path}`, { signal, query: { limit: 100 } }),
  });
  const refresh = () => queries.invalidateQueries({ queryKey: key('members') });
  const change = async (member: Member, role: string) => {
    try {
      await call('PATCH', `/v1${path}/${encodeURIComponent(member.uid)}`, { body: { role } });
      toast('Role changed; it holds at once.');
    } catch (error) {
      toast(sentenceOf(error), 'error');
    }
    await refresh();
  };
  const remove = async (member: Member) => {
    const done = await confirm({
      title: 'Remove this member?',
      body: (
        <>
          <PlainText text={member.email} /> loses access at once, and their tokens for this team are revoked.
        </>
      ),
      confirm: 'Remove member',
      danger: true,
      act: () => call('DELETE', `/v1${path}/${encodeURIComponent(member.uid)}`),
    });
    if (done) await refresh();
  };
  return (
    <Card flush>
      <Loaded query={members} skeleton={<SkeletonRows rows={3} />}>
        {({ members: list }) => (
          <ul className="lines">
            {list.map((member) => (
              <li key={member.uid} className="line-row">
                <div className="grow">
                  <PlainLine text={member.name ?? member.username} />
                  <span className="small quiet">
                    <PlainLine text={member.email} />
                  </span>
                </div>
                {may('members.write') && member.uid !== user.id ? (
                  <>
                    <div className="role">
                      <Select
                        aria-label={`Role of ${member.email}`}
                        options={roleOptions}
                        value={member.role}
                        onChange={(event) => void change(member, event.target.value)}
                      />
                    </div>
                    <Button
                      size="small"
                      aria-label={`Remove ${member.email}`}
                      onClick={() => void remove(member)}
                    >
                      Remove
                    </Button>
                  </>
                ) : (
                  <span className="quiet">
                    {roleOptions.find(({ value }) => value === member.role)?.label ?? member.role}
                    {member.uid === user.id ? ' (you)' : ''}
                  </span>
                )}
              </li>
            ))}
          </ul>
        )}
      </Loaded>
    </Card>
  );
}

function InvitationList() {
  const { call, key, may } = useTeam();
  const queries = useQueryClient();
  const toast = useToast();
  const invitations = useQuery({
    queryKey: key('invitations'),
    queryFn: ({ signal }) => call<{ invitations: Invitation[] }>('GET', '/v1/invitations', { signal }),
  });
  const list = invitations.data?.invitations ?? [];
  if (list.length === 0) return null;
  const revoke = async ({ id }: Invitation) => {
    try {
      await call('DELETE', `/v1/invitations/${encodeURIComponent(id)}`);
    } catch (error) {
      toast(sentenceOf(error), 'error');
    }
    await queries.invalidateQueries({ queryKey: key('invitations') });
  };
  return (
    <Card title="Invitations" description="Their links work once, and only for their address." flush>
      <ul className="lines">
        {list.map((invitation) => (
          <li key={invitation.id} className="line-row">
            <div className="grow">
              <PlainLine text={invitation.email} />
              <span className="small quiet">
                {roleOptions.find(({ value }) => value === invitation.role)?.label}, expires{' '}
                <Time at={invitation.expiresAt} />
              </span>
            </div>
            {may('members.write') ? (
              <Button
                size="small"
                aria-label={`Take back the invitation of ${invitation.email}`}
                onClick={() => void revoke(invitation)}
              >
                Take back
              </Button>
            ) : null}
          </li>
        ))}
      </ul>
    </Card>
  );
}

function Invite({ onClose }: { onClose(): void }) {
  const { call, key, team } = useTeam();
  const queries = useQueryClient();
  const [{ email, role }, setDraft, forget] = useDraft<{ email: string; role: Role }>(
    `invitation ${team.id}`,
    {
      email: '',
      role: 'MEMBER',
    },
  );
  const [failure, setFailure] = useState<string | null>(null);
  const [isBusy, setBusy] = useState(false);
  const [made, setMade] = useState<(Invitation & { url: string }) | null>(null);
  const invite = async () => {
    setBusy(true);
    setFailure(null);
    try {
      setMade(await call('POST', '/v1/invitations', { body: { email: email.trim(), role } }));
      forget();
      await queries.invalidateQueries({ queryKey: key('invitations') });
    } catch (error) {
      setFailure(sentenceOf(error));
    }
    setBusy(false);
  };
  if (made !== null) {
    return (
      <Dialog
        open
        title="Send them this link"
        description="It is shown this once, works once, and only for their address."
        footer={
          <Button kind="primary" onClick={onClose}>
            Done
          </Button>
        }
      >
        <div className="stack">
          <Code text={made.url} what="the link" />
          <Notice>{`It expires ${exactTime(made.expiresAt)}.`}</Notice>
        </div>
      </Dialog>
    );
  }
  return (
    <Dialog
      open
      onClose={onClose}
      title="Invite to the team"
      footer={
        <>
          <Button onClick={onClose}>Cancel</Button>
          <Button kind="primary" type="submit" form="invite" busy={isBusy}>
            Create link
          </Button>
        </>
      }
    >
      <form
        id="invite"
        className="stack"
        noValidate
        onSubmit={(event) => {
          event.preventDefault();
          void invite();
        }}
      >
        <Field label="E-mail address" error={failure}>
          <Input
            type="email"
            autoFocus
            value={email}
            onChange={(event) => setDraft({ email: event.target.value, role })}
          />
        </Field>
        <Field label="Role" hint={roleHints[role]}>
          <Select
            options={roleOptions}
            value={role}
            onChange={(event) => setDraft({ email, role: event.target.value as Role })}
          />
        </Field>
      </form>
    </Dialog>
  );
}
