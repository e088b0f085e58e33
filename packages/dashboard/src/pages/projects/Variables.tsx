// A project's environment variables. A sensitive one is never shown again, and no event ever carries a name or a value.
import { useQuery, useQueryClient } from '@tanstack/react-query';
import { Eye, KeyRound, Plus, Trash2 } from 'lucide-react';
import { useState } from 'react';
import { sentenceOf } from '../../api/client.ts';
import type { Project, Variable } from '../../api/types.ts';
import { whoMay } from '../../app/permissions.ts';
import { useTeam } from '../../app/session.tsx';
import { Badge } from '../../kit/Badge.tsx';
import { Button, IconButton } from '../../kit/Button.tsx';
import { useConfirm } from '../../kit/Confirm.tsx';
import { Dialog } from '../../kit/Dialog.tsx';
import { Checkbox, Field, Input, Select, Textarea } from '../../kit/Field.tsx';
import { Card, Empty, Loaded, SkeletonRows } from '../../kit/Page.tsx';
import { PlainLine, PlainText } from '../../kit/PlainText.tsx';
import { useToast } from '../../kit/Toasts.tsx';

const targets = ['production', 'preview', 'development'] as const;

export function Variables({ project }: { project: Project }) {
  const { call, key, may } = useTeam();
  const [edited, setEdited] = useState<Variable | 'new' | null>(null);
  const path = `/v10/projects/${encodeURIComponent(project.id)}/env`;
  const variables = useQuery({
    queryKey: key('variables', project.id),
    queryFn: ({ signal }) => call<{ envs: Variable[] }>('GET', path, { signal }),
  });
  return (
    <>
      <Card
        title="Environment variables"
        actions={
          <Button
            size="small"
            icon={Plus}
            why={
              may('variables.write') ? null : `Your role can’t add one: ask an ${whoMay('variables.write')}.`
            }
            onClick={() => setEdited('new')}
          >
            Add variable
          </Button>
        }
        flush
      >
        <Loaded query={variables} skeleton={<SkeletonRows rows={3} />}>
          {({ envs }) =>
            envs.length === 0 ? (
              <Empty icon={KeyRound} title="No variables">
                Adding, changing and removing one are events, which never carry its name or value.
              </Empty>
            ) : (
              <ul className="lines">
                {envs.map((variable) => (
                  <Line
                    key={variable.id}
                    variable={variable}
                    path={path}
                    project={project}
                    onEdit={setEdited}
                  />
                ))}
              </ul>
            )
          }
        </Loaded>
      </Card>
      {edited === null ? null : (
        <Edit
          variable={edited === 'new' ? null : edited}
          path={path}
          project={project}
          onClose={() => setEdited(null)}
        />
      )}
    </>
  );
}

function Line({
  variable,
  path,
  project,
  onEdit,
}: {
  variable: Variable;
  path: string;
  project: Project;
  onEdit(variable: Variable): void;
}) {
  const { call, key, may } = useTeam();
  const queries = useQueryClient();
  const confirm = useConfirm();
  const toast = useToast();
  const [value, setValue] = useState<string | null>(null);
  const one = `${path}/${encodeURIComponent(variable.id)}`;
  const show = async () => {
    try {
      setValue((await call<Variable>('GET', one)).value ?? '');
    } catch (error) {
      toast(sentenceOf(error), 'error');
    }
  };
  const remove = async () => {
    const done = await confirm({
      title: 'Remove this variable?',
      body: (
        <>
          <code>
            <PlainText text={variable.key} />
          </code>{' '}
          is gone for good.
        </>
      ),
      confirm: 'Remove variable',
      danger: true,
      act: () => call('DELETE', one),
    });
    if (done) await queries.invalidateQueries({ queryKey: key('variables', project.id) });
  };
  return (
    <li className="line-row">
      <div className="grow">
        <PlainLine text={variable.key} mono />
        <span className="small quiet">{placesOf(variable)}</span>
      </div>
      <div className="grow">
        {value === null ? (
          <span className="quiet mono" aria-hidden>
            ••••••••
          </span>
        ) : (
          <span className="mono">
            <PlainText text={value} limit={120} />
          </span>
        )}
      </div>
      {variable.type === 'sensitive' ? <Badge>Sensitive</Badge> : null}
      {variable.type !== 'sensitive' && may('variables.values') && value === null ? (
        <IconButton
          icon={Eye}
          size="small"
          label={`Show the value of ${variable.key}`}
          onClick={() => void show()}
        />
      ) : null}
      {may('variables.write') ? (
        <>
          <Button size="small" aria-label={`Edit ${variable.key}`} onClick={() => onEdit(variable)}>
            Edit
          </Button>
          <IconButton
            icon={Trash2}
            size="small"
            label={`Remove ${variable.key}`}
            onClick={() => void remove()}
          />
        </>
      ) : null}
    </li>
  );
}

const placesOf = ({ target, gitBranch }: Variable): string =>
  [target.length === targets.length ? 'All environments' : target.join(', '), gitBranch ?? '']
    .filter((part) => part !== '')
    .join(' · ');

function Edit({
  variable,
  path,
  project,
  onClose,
}: {
  variable: Variable | null;
  path: string;
  project: Project;
  onClose(): void;
}) {
  const { call, key } = useTeam();
  const queries = useQueryClient();
  const [name, setName] = useState(variable?.key ?? '');
  const [value, setValue] = useState('');
  const [type, setType] = useState(variable?.type ?? 'encrypted');
  const [chosen, setChosen] = useState<readonly string[]>(variable?.target ?? targets);
  const [failure, setFailure] = useState<string | null>(null);
  const [isBusy, setBusy] = useState(false);
  const save = async () => {
    setBusy(true);
    setFailure(null);
    const body = { key: name.trim(), target: chosen, type };
    try {
      if (variable === null) await call('POST', path, { body: { ...body, value } });
      else {
        await call('PATCH', `${path}/${encodeURIComponent(variable.id)}`, {
          body: value === '' ? body : { ...body, value },
        });
      }
      await queries.invalidateQueries({ queryKey: key('variables', project.id) });
      onClose();
    } catch (error) {
      setFailure(sentenceOf(error));
      setBusy(false);
    }
  };
  return (
    <Dialog
      open
      onClose={onClose}
      title={variable === null ? 'Add variable' : 'Edit variable'}
      footer={
        <>
          <Button onClick={onClose}>Cancel</Button>
          <Button kind="primary" type="submit" form="edit-variable" busy={isBusy}>
            Save
          </Button>
        </>
      }
    >
      <form
        id="edit-variable"
        className="stack"
        onSubmit={(event) => {
          event.preventDefault();
          void save();
        }}
      >
        <Field label="Key" error={failure}>
          <Input
            mono
            autoFocus
            placeholder="DATABASE_URL"
            value={name}
            onChange={(event) => setName(event.target.value)}
          />
        </Field>
        <Field
          label="Value"
          hint={variable === null ? 'Encrypted at rest.' : 'Left empty, the value stays as it is.'}
        >
          <Textarea mono rows={3} value={value} onChange={(event) => setValue(event.target.value)} />
        </Field>
        <Field label="Kind" hint="A sensitive value can never be read again, by anybody.">
          <Select
            options={[
              { value: 'encrypted', label: 'Encrypted' },
              { value: 'sensitive', label: 'Sensitive' },
              { value: 'plain', label: 'Plain' },
            ]}
            value={type}
            onChange={(event) => setType(event.target.value)}
          />
        </Field>
        <fieldset className="stack">
          <legend className="field-legend">Environments</legend>
          {targets.map((target) => (
            <Checkbox
              key={target}
              label={target}
              checked={chosen.includes(target)}
              onChange={(event) =>
                setChosen(event.target.checked ? [...chosen, target] : chosen.filter((one) => one !== target))
              }
            />
          ))}
        </fieldset>
      </form>
    </Dialog>
  );
}
