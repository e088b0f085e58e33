// Projects of the team. Creating, renaming and removing one are events.
import { useInfiniteQuery, useQueryClient } from '@tanstack/react-query';
import { FolderGit2, Plus } from 'lucide-react';
import { useState } from 'react';
import { Link, useLocation } from 'wouter';
import { sentenceOf } from '../../api/client.ts';
import type { Project, TimePage } from '../../api/types.ts';
import { useDraft } from '../../app/drafts.ts';
import { whoMay } from '../../app/permissions.ts';
import { useTeam } from '../../app/session.tsx';
import { Button } from '../../kit/Button.tsx';
import { Dialog } from '../../kit/Dialog.tsx';
import { Field, Input } from '../../kit/Field.tsx';
import { Card, Empty, Loaded, PageHeader, SkeletonRows } from '../../kit/Page.tsx';
import { PlainLine } from '../../kit/PlainText.tsx';
import { Time } from '../../kit/Time.tsx';
import { useToast } from '../../kit/Toasts.tsx';
import '../../kit/table.css';
import '../../kit/lists.css';

export default function ProjectsPage() {
  const { call, key, href, may } = useTeam();
  const [isCreating, setCreating] = useState(false);
  const projects = useInfiniteQuery({
    queryKey: key('projects', 'list'),
    initialPageParam: null as number | null,
    queryFn: ({ signal, pageParam }) =>
      call<{ projects: Project[]; pagination: TimePage }>('GET', '/v9/projects', {
        signal,
        query: { limit: 50, until: pageParam },
      }),
    getNextPageParam: ({ pagination }) => pagination.next,
  });
  const rows = projects.data?.pages.flatMap((page) => page.projects) ?? [];
  const create = (
    <Button
      kind="primary"
      icon={Plus}
      why={
        may('projects.write') ? null : `Your role can’t create projects: ask an ${whoMay('projects.write')}.`
      }
      onClick={() => setCreating(true)}
    >
      Create project
    </Button>
  );
  return (
    <>
      <PageHeader
        title="Projects"
        description="What events belong to. A webhook listens to all projects, or to those that you select."
        actions={create}
      />
      <Card flush>
        <Loaded query={projects} skeleton={<SkeletonRows rows={6} />}>
          {() =>
            rows.length === 0 ? (
              <Empty icon={FolderGit2} title="No projects yet">
                Create one here, or with your platform’s calls: webhooks can then be limited to it.
              </Empty>
            ) : (
              <table className="table folds">
                <thead>
                  <tr>
                    <th>Name</th>
                    <th>ID</th>
                    <th style={{ width: 150 }}>Framework</th>
                    <th style={{ width: 110 }}>Created</th>
                  </tr>
                </thead>
                <tbody>
                  {rows.map((project) => (
                    <tr key={project.id}>
                      <td>
                        <Link href={href(`projects/${project.id}`)} className="link">
                          <PlainLine text={project.name} />
                        </Link>
                      </td>
                      <td data-label="ID">
                        <PlainLine text={project.id} mono />
                      </td>
                      <td data-label="Framework">{project.framework ?? '–'}</td>
                      <td className="quiet">
                        <Time at={project.createdAt} />
                      </td>
                    </tr>
                  ))}
                </tbody>
              </table>
            )
          }
        </Loaded>
      </Card>
      {projects.hasNextPage ? (
        <div className="paused">
          <Button busy={projects.isFetchingNextPage} onClick={() => void projects.fetchNextPage()}>
            Show more projects
          </Button>
        </div>
      ) : null}
      {isCreating ? <CreateDialog onClose={() => setCreating(false)} /> : null}
    </>
  );
}

function CreateDialog({ onClose }: { onClose(): void }) {
  const { call, key, href, team } = useTeam();
  const queries = useQueryClient();
  const toast = useToast();
  const [, navigate] = useLocation();
  const [{ name }, setDraft, forget] = useDraft(`project ${team.id}`, { name: '' });
  const [failure, setFailure] = useState<string | null>(null);
  const [isBusy, setBusy] = useState(false);
  const create = async () => {
    setBusy(true);
    setFailure(null);
    try {
      const project = await call<Project>('POST', '/v11/projects', { body: { name: name.trim() } });
      forget();
      toast('Project created.');
      await queries.invalidateQueries({ queryKey: key('projects') });
      navigate(href(`projects/${project.id}`));
    } catch (error) {
      setFailure(sentenceOf(error));
      setBusy(false);
    }
  };
  return (
    <Dialog
      open
      onClose={onClose}
      title="Create project"
      size="small"
      footer={
        <>
          <Button onClick={onClose}>Cancel</Button>
          <Button kind="primary" type="submit" form="create-project" busy={isBusy}>
            Create
          </Button>
        </>
      }
    >
      <form
        id="create-project"
        onSubmit={(event) => {
          event.preventDefault();
          void create();
        }}
      >
        <Field label="Name" error={failure} hint="Lowercase letters, digits, '.', '_' and '-'.">
          <Input
            autoFocus
            value={name}
            maxLength={100}
            onChange={(event) => setDraft({ name: event.target.value })}
          />
        </Field>
      </form>
    </Dialog>
  );
}
