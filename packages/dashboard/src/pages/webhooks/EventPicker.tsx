// Selecting the events to listen to, by category: Vercel's three first and open, then every other one, searchable, the
// raw type beside the label and a sample payload one click away.
import { Braces, ChevronRight, Search } from 'lucide-react';
import { memo, useCallback, useDeferredValue, useEffect, useId, useMemo, useRef, useState } from 'react';
import type { EventType } from '../../api/types.ts';
import { Badge } from '../../kit/Badge.tsx';
import { Code } from '../../kit/Code.tsx';
import { Dialog } from '../../kit/Dialog.tsx';
import { Checkbox, Input } from '../../kit/Field.tsx';
import { countOf } from '../../kit/format.ts';
import './event-picker.css';

/** The categories that the documentation names; they are open from the start. */
const documented = new Set(['Deployment Events', 'Project Events', 'Firewall events']);

const onlyAllProjects = 'Only with All Team Projects: these events are the team’s, not one project’s.';

interface PickerProps {
  types: readonly EventType[];
  value: readonly string[];
  onChange(value: string[]): void;
  /** Only some projects are chosen, so events of the whole team are off. */
  isSelective: boolean;
  /** Only the categories with something chosen are open at first: for a webhook that has its events. */
  isCompact?: boolean;
}

export function EventPicker({ types, value, onChange, isSelective, isCompact = false }: PickerProps) {
  const [search, setSearch] = useState('');
  const wanted = useDeferredValue(search.trim().toLowerCase());
  const [sample, setSample] = useState<EventType | null>(null);
  const chosen = useMemo(() => new Set(value), [value]);
  const categories = useMemo(() => groupTypes(types), [types]);
  const found = categories
    .map(({ name, types: own }) => ({ name, types: own.filter((type) => fits(type, wanted)) }))
    .filter(({ types: own }) => own.length > 0);
  const latest = useRef({ chosen, types, onChange });
  useEffect(() => {
    latest.current = { chosen, types, onChange };
  });
  const set = useCallback((names: readonly string[], on: boolean) => {
    const { chosen: before, types: all, onChange: change } = latest.current;
    const next = new Set(before);
    for (const name of names) {
      if (on) next.add(name);
      else next.delete(name);
    }
    // In the catalogue's order, whatever the order of the clicks.
    change([...all.map(({ type }) => type).filter((type) => next.delete(type)), ...next]);
  }, []);
  return (
    <div className="picker">
      <div className="picker-search">
        <Search size={16} aria-hidden />
        <Input
          type="search"
          aria-label="Search events"
          placeholder="Search events by label, type or description"
          value={search}
          onChange={(event) => setSearch(event.target.value)}
        />
      </div>
      {found.map(({ name, types: own }) => (
        <Category
          key={name}
          name={name}
          types={own}
          chosen={chosen}
          isOpenAtFirst={(!isCompact && documented.has(name)) || own.some(({ type }) => chosen.has(type))}
          isSearched={wanted !== ''}
          isSelective={isSelective}
          onSet={set}
          onSample={setSample}
        />
      ))}
      {found.length === 0 ? <p className="quiet picker-none">No event fits “{search}”.</p> : null}
      <Dialog
        open={sample !== null}
        onClose={() => setSample(null)}
        size="medium"
        title={sample?.label ?? ''}
        description={sample?.description}
      >
        {sample === null ? null : (
          <Code
            title={
              <>
                A payload of <code>{sample.type}</code>
              </>
            }
            language="json"
            text={JSON.stringify(sample.sample, null, 2)}
            what="the sample payload"
            maxHeight={400}
          />
        )}
      </Dialog>
    </div>
  );
}

function Category({
  name,
  types,
  chosen,
  isOpenAtFirst,
  isSearched,
  isSelective,
  onSet,
  onSample,
}: {
  name: string;
  types: readonly EventType[];
  chosen: ReadonlySet<string>;
  isOpenAtFirst: boolean;
  isSearched: boolean;
  isSelective: boolean;
  onSet(names: readonly string[], on: boolean): void;
  onSample(type: EventType): void;
}) {
  const id = useId();
  const [isUnfolded, setUnfolded] = useState(isOpenAtFirst);
  const isOpen = isUnfolded || isSearched;
  const available = types.filter(({ requiresAllProjects }) => !(isSelective && requiresAllProjects));
  const count = available.filter(({ type }) => chosen.has(type)).length;
  const isOff = available.length === 0;
  return (
    <section className="category" aria-labelledby={`${id}-name`}>
      <div className="category-head">
        <Checkbox
          label={<span id={`${id}-name`}>{name}</span>}
          aria-label={`All of ${name}`}
          checked={count > 0 && count === available.length}
          partly={count > 0 && count < available.length}
          why={isOff ? onlyAllProjects : null}
          onChange={(event) =>
            onSet(
              available.map(({ type }) => type),
              event.target.checked,
            )
          }
        />
        <span className="quiet small number">
          {count === 0 ? countOf(types.length, 'event') : `${count} of ${types.length}`}
        </span>
        <button
          type="button"
          className="icon-button category-fold"
          aria-expanded={isOpen}
          aria-controls={`${id}-list`}
          aria-label={`${isOpen ? 'Hide' : 'Show'} ${name}`}
          onClick={() => setUnfolded(!isOpen)}
        >
          <ChevronRight size={16} aria-hidden />
        </button>
      </div>
      <ul id={`${id}-list`} hidden={!isOpen} className="category-list">
        {isOpen
          ? types.map((type) => (
              <EventRow
                key={type.type}
                type={type}
                isOff={isSelective && type.requiresAllProjects}
                isChosen={chosen.has(type.type)}
                onSet={onSet}
                onSample={onSample}
              />
            ))
          : null}
      </ul>
    </section>
  );
}

/** One of more than a hundred: drawn again only when something about it has changed. */
const EventRow = memo(function EventRow({
  type,
  isOff,
  isChosen,
  onSet,
  onSample,
}: {
  type: EventType;
  isOff: boolean;
  isChosen: boolean;
  onSet(names: readonly string[], on: boolean): void;
  onSample(type: EventType): void;
}) {
  const name = `Sample payload of ${type.type}`;
  return (
    <li className="event-row">
      <Checkbox
        label={type.label}
        hint={type.description}
        disabled={isOff}
        checked={isChosen && !isOff}
        onChange={(event) => onSet([type.type], event.target.checked)}
      />
      {type.availability === 'integration' ? <Badge>Integrations</Badge> : null}
      <code className="event-type">{type.type}</code>
      <button
        type="button"
        className="icon-button"
        data-size="small"
        aria-label={name}
        title={name}
        onClick={() => onSample(type)}
      >
        <Braces size={16} aria-hidden />
      </button>
    </li>
  );
});

function groupTypes(types: readonly EventType[]): { name: string; types: EventType[] }[] {
  const groups = new Map<string, EventType[]>();
  for (const type of types) {
    const group = groups.get(type.category);
    if (group === undefined) groups.set(type.category, [type]);
    else group.push(type);
  }
  return [...groups].map(([name, own]) => ({ name, types: own }));
}

const fits = ({ type, label, description, category }: EventType, wanted: string): boolean =>
  wanted === '' || `${type}\n${label}\n${description}\n${category}`.toLowerCase().includes(wanted);
