// One project: its name, its environment variables, its end.
import { useQuery, useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { useLocation, useParams } from 'wouter';
import { sentenceOf } from '../../api/client.ts';
import type { Project } from '../../api/types.ts';
import { whoMay } from '../../app/permissions.ts';
import { useTeam } from '../../app/session.tsx';
import { Button, ButtonLink } from '../../kit/Button.tsx';
import { useConfirm } from '../../kit/Confirm.tsx';
import { Copy } from '../../kit/Copy.tsx';
import { Field, Input } from '../../kit/Field.tsx';
import { Card, Loaded, PageHeader, SkeletonRows } from '../../kit/Page.tsx';
import { PlainLine, PlainText } from '../../kit/PlainText.tsx';
import { useToast } from '../../kit/Toasts.tsx';
import { Variables } from './Variables.tsx';
import '../../kit/lists.css';

export default function ProjectPage() {
  const { id } = useParams<{ id: string }>();
  const { call, key, href } = useTeam();
  const project = useQuery({
    queryKey: key('project', id),
    queryFn: ({ signal }) => call<Project>('GET', `/v9/projects/${encodeURIComponent(id)}`, { signal }),
  });
  const parent = { label: 'Projects', href: href('projects') };
  return (
    <Loaded
      query={project}
      skeleton={
        <>
          <PageHeader title="Project" parent={parent} />
          <Card flush>
            <SkeletonRows rows={3} />
          </Card>
        </>
      }
    >
      {(found) => (
        <>
          <PageHeader
            title={<PlainText text={found.name} />}
            tab={found.name}
            parent={parent}
            description={
              <span className="row nowrap">
                <PlainLine text={found.id} mono />
                <Copy text={found.id} what="the project’s ID" />
              </span>
            }
            actions={
              <ButtonLink href={`${href('deliveries')}?projectId=${encodeURIComponent(found.id)}`}>
                Its deliveries
              </ButtonLink>
            }
          />
          <Variables project={found} />
          <Rename key={found.name} project={found} />
          <Remove project={found} />
        </>
      )}
    </Loaded>
  );
}

function Rename({ project }: { project: Project }) {
  const { call, key, may } = useTeam();
  const queries = useQueryClient();
  const toast = useToast();
  const [name, setName] = useState(project.name);
  const [failure, setFailure] = useState<string | null>(null);
  const [isBusy, setBusy] = useState(false);
  const rename = async () => {
    setBusy(true);
    setFailure(null);
    try {
      await call('PATCH', `/v9/projects/${encodeURIComponent(project.id)}`, { body: { name: name.trim() } });
      toast('Renamed. The event project.renamed was sent.');
      await queries.invalidateQueries({ queryKey: key('project', project.id) });
      await queries.invalidateQueries({ queryKey: key('projects') });
    } catch (error) {
      setFailure(sentenceOf(error));
    }
    setBusy(false);
  };
  const why = may('projects.write') ? null : `Your role can’t rename it: ask an ${whoMay('projects.write')}.`;
  return (
    <form
      onSubmit={(event) => {
        event.preventDefault();
        if (why === null) void rename();
      }}
    >
      <Card
        title="Name"
        footer={
          <>
            <span>Renaming is an event: project.renamed.</span>
            <Button type="submit" kind="primary" size="small" why={why} busy={isBusy}>
              Rename
            </Button>
          </>
        }
      >
        <div className="form">
          <Field label="Project name" error={failure}>
            <Input value={name} maxLength={100} onChange={(event) => setName(event.target.value)} />
          </Field>
        </div>
      </Card>
    </form>
  );
}

function Remove({ project }: { project: Project }) {
  const { call, key, href, may } = useTeam();
  const queries = useQueryClient();
  const confirm = useConfirm();
  const toast = useToast();
  const [, navigate] = useLocation();
  const remove = async () => {
    const done = await confirm({
      title: 'Remove this project?',
      body: (
        <>
          <strong>
            <PlainText text={project.name} />
          </strong>{' '}
          and its variables are gone for good. Webhooks that selected it stay, and match nothing of it any
          more.
        </>
      ),
      confirm: 'Remove project',
      danger: true,
      act: () => call('DELETE', `/v9/projects/${encodeURIComponent(project.id)}`),
    });
    if (!done) return;
    toast('Project removed.');
    navigate(href('projects'));
    await queries.invalidateQueries({ queryKey: key('projects') });
  };
  const why = may('projects.write') ? null : `Your role can’t remove it: ask an ${whoMay('projects.write')}.`;
  return (
    <Card
      title="Remove project"
      footer={
        <>
          <span>Removing is an event: project.removed.</span>
          <Button kind="danger" size="small" why={why} onClick={() => void remove()}>
            Remove
          </Button>
        </>
      }
    >
      <p className="quiet">Its variables go with it. Past events and deliveries stay as they are.</p>
    </Card>
  );
}
