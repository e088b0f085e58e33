// JSON as a tree that opens part by part, so that a payload of a megabyte costs no more than what is looked at.
import { type ReactNode, useMemo, useState } from 'react';
import { countOf, formatCount } from './format.ts';
import { Pieces, PlainText } from './PlainText.tsx';
import './code.css';

const itemsAtOnce = 100;
const openToDepth = 4;
const openUpTo = 40;

export function JsonView({ value }: { value: unknown }) {
  return (
    <div className="json json-root">
      <Node value={value} depth={0} name={null} tail="" />
    </div>
  );
}

/** A body as it came: a tree if it is JSON, else its text. */
export function BodyView({ body }: { body: string }) {
  const parsed = useMemo(() => {
    try {
      return { value: JSON.parse(body) as unknown };
    } catch {
      return null;
    }
  }, [body]);
  if (parsed !== null && typeof parsed.value === 'object') return <JsonView value={parsed.value} />;
  return (
    <div className="json">
      <PlainText text={body} limit={2_000} />
    </div>
  );
}

interface NodeProps {
  value: unknown;
  depth: number;
  name: string | null;
  tail: string;
}

function Node({ value, depth, name, tail }: NodeProps) {
  const label: ReactNode =
    name === null ? null : (
      <>
        <span className="json-key">
          <bdi>
            <Pieces text={JSON.stringify(name)} />
          </bdi>
        </span>
        {': '}
      </>
    );
  if (typeof value !== 'object' || value === null) {
    return (
      <>
        {label}
        <Leaf value={value} />
        {tail}
      </>
    );
  }
  return <Branch value={value} depth={depth} label={label} tail={tail} />;
}

function Branch({
  value,
  depth,
  label,
  tail,
}: {
  value: object;
  depth: number;
  label: ReactNode;
  tail: string;
}) {
  const isList = Array.isArray(value);
  const keys = useMemo(() => Object.keys(value), [value]);
  const [isOpen, setOpen] = useState(depth < openToDepth && keys.length <= openUpTo);
  const [shown, setShown] = useState(itemsAtOnce);
  const [start, end] = isList ? ['[', ']'] : ['{', '}'];
  if (keys.length === 0) {
    return (
      <>
        {label}
        {start}
        {end}
        {tail}
      </>
    );
  }
  const count = isList ? countOf(keys.length, 'item') : countOf(keys.length, 'field');
  return (
    <>
      <button type="button" className="json-fold" aria-expanded={isOpen} onClick={() => setOpen(!isOpen)}>
        {label}
        {start}
        {isOpen ? null : (
          <>
            <span className="json-count"> {count} </span>
            {end}
            {tail}
          </>
        )}
      </button>
      {isOpen ? (
        <>
          <ul>
            {keys.slice(0, shown).map((key, index) => (
              <li key={key}>
                <Node
                  value={(value as Record<string, unknown>)[key]}
                  depth={depth + 1}
                  name={isList ? null : key}
                  tail={index < keys.length - 1 ? ',' : ''}
                />
              </li>
            ))}
            {keys.length > shown ? (
              <li>
                <button type="button" className="more" onClick={() => setShown(shown + itemsAtOnce * 5)}>
                  Show more of {formatCount(keys.length)}
                </button>
              </li>
            ) : null}
          </ul>
          {end}
          {tail}
        </>
      ) : null}
    </>
  );
}

function Leaf({ value }: { value: unknown }) {
  if (typeof value === 'string') {
    return (
      <span data-kind="string">
        <PlainText text={JSON.stringify(value)} limit={1_000} />
      </span>
    );
  }
  return <span data-kind={typeof value === 'number' ? 'number' : 'word'}>{JSON.stringify(value)}</span>;
}
