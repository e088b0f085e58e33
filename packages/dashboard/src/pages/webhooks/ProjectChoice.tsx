// Choosing target projects: all of the team, or some of them.

import { MultiCombobox } from '../../kit/Combobox.tsx';
import { Field, RadioCards } from '../../kit/Field.tsx';
import { Loaded, Skeleton } from '../../kit/Page.tsx';
import { useProjects } from './queries.ts';

export type Scope = 'all' | 'selected';

export function ProjectChoice({
  scope,
  projectIds,
  onChange,
  error = null,
}: {
  scope: Scope;
  projectIds: readonly string[];
  onChange(patch: { scope?: Scope; projectIds?: string[] }): void;
  error?: string | null;
}) {
  const projects = useProjects();
  return (
    <div className="stack">
      <RadioCards
        legend="Target projects"
        name="scope"
        value={scope}
        onChange={(next) => onChange({ scope: next })}
        choices={[
          {
            value: 'all',
            label: 'All Team Projects',
            hint: 'Every project of the team, also those created later.',
          },
          {
            value: 'selected',
            label: 'Selected projects',
            hint: 'Only events of the projects you choose. Project Events are the team’s and are not sent.',
          },
        ]}
      />
      {scope === 'selected' ? (
        <Loaded query={projects} skeleton={<Skeleton height={66} />}>
          {(list) => (
            <Field
              label="Projects"
              error={error}
              hint={
                list.length === 0 ? 'This team has no projects yet; choose All Team Projects.' : undefined
              }
            >
              <MultiCombobox
                options={list.map(({ id, name }) => ({ value: id, label: name }))}
                value={projectIds}
                onChange={(next) => onChange({ projectIds: next })}
                placeholder="Search projects"
                empty="No project fits what you typed."
              />
            </Field>
          )}
        </Loaded>
      ) : null}
    </div>
  );
}
