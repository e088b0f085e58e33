// The parts every page is laid out with: its heading, cards, notices, empty places, and what stands there while loading.
import type { UseQueryResult } from '@tanstack/react-query';
import { ChevronRight, CircleAlert, Info, TriangleAlert } from 'lucide-react';
import { type ReactNode, useEffect, useRef } from 'react';
import { Link } from 'wouter';
import { sentenceOf } from '../api/client.ts';
import { hasNavigated } from '../app/navigation.ts';
import { Button, type Icon } from './Button.tsx';
import './page.css';

export interface PageHeaderProps {
  title: ReactNode;
  /** The browser's tab, where the title is not plain text. */
  tab?: string;
  description?: ReactNode;
  /** The page above: its name and address. */
  parent?: { label: string; href: string };
  actions?: ReactNode;
}

/** The heading of a page. Takes the focus when somebody came here from another page, so that it is read out. */
export function PageHeader({ title, tab, description, parent, actions }: PageHeaderProps) {
  const heading = useRef<HTMLHeadingElement>(null);
  const name = tab ?? (typeof title === 'string' ? title : 'Posthorn');
  useEffect(() => {
    document.title = name === 'Posthorn' ? name : `${name} · Posthorn`;
  }, [name]);
  useEffect(() => {
    if (hasNavigated()) heading.current?.focus({ preventScroll: true });
  }, []);
  return (
    <header className="page-header">
      <div className="grow">
        {parent === undefined ? null : (
          <nav aria-label="Path" className="crumbs">
            <Link href={parent.href}>{parent.label}</Link>
            <ChevronRight size={14} aria-hidden />
          </nav>
        )}
        <h1 ref={heading} tabIndex={-1}>
          {title}
        </h1>
        {description === undefined ? null : <p className="page-description">{description}</p>}
      </div>
      {actions === undefined ? null : <div className="row page-actions">{actions}</div>}
    </header>
  );
}

/** A part of a page in a frame. */
export function Card({
  title,
  description,
  actions,
  footer,
  flush = false,
  children,
}: {
  title?: ReactNode;
  description?: ReactNode;
  actions?: ReactNode;
  footer?: ReactNode;
  /** Its content reaches the frame: tables, lists. */
  flush?: boolean;
  children?: ReactNode;
}) {
  return (
    <section className="card">
      {title === undefined ? null : (
        <div className="card-head">
          <div className="grow">
            <h2>{title}</h2>
            {description === undefined ? null : <p className="card-description">{description}</p>}
          </div>
          {actions === undefined ? null : <div className="row">{actions}</div>}
        </div>
      )}
      {children === undefined ? null : <div className={flush ? 'card-flush' : 'card-body'}>{children}</div>}
      {footer === undefined ? null : <div className="card-foot">{footer}</div>}
    </section>
  );
}

const noticeGlyphs = { info: Info, warning: TriangleAlert, error: CircleAlert };

/** Something the reader should know about the page or a part of it. */
export function Notice({
  kind = 'info',
  title,
  children,
  action,
}: {
  kind?: 'info' | 'warning' | 'error';
  title?: ReactNode;
  children?: ReactNode;
  action?: ReactNode;
}) {
  const Glyph = noticeGlyphs[kind];
  return (
    <div className="notice" data-kind={kind} role={kind === 'error' ? 'alert' : undefined}>
      <Glyph size={16} aria-hidden />
      <div className="grow">
        {title === undefined ? null : <div className="notice-title">{title}</div>}
        {children}
      </div>
      {action}
    </div>
  );
}

/** What stands where there is nothing yet: what it is, and how to get the first one. */
export function Empty({
  icon: Glyph,
  title,
  children,
  action,
}: {
  icon: Icon;
  title: ReactNode;
  children?: ReactNode;
  action?: ReactNode;
}) {
  return (
    <div className="empty">
      <span className="empty-icon">
        <Glyph size={20} aria-hidden />
      </span>
      <h2>{title}</h2>
      {children === undefined ? null : <div className="empty-text">{children}</div>}
      {action}
    </div>
  );
}

/** Grey where text will stand. `width` in characters or any length, `height` in pixels. */
export function Skeleton({ width = '100%', height = 16 }: { width?: number | string; height?: number }) {
  return (
    <span
      className="skeleton"
      aria-hidden
      style={{ width: typeof width === 'number' ? `${width}ch` : width, height }}
    />
  );
}

/** As many lines of grey as the list will have, each as high as a line of it. */
export function SkeletonRows({ rows = 4, height = 56 }: { rows?: number; height?: number }) {
  return (
    <div role="status">
      <span className="visually-hidden">Loading</span>
      {Array.from({ length: rows }, (_, index) => (
        // biome-ignore lint/suspicious/noArrayIndexKey: they are all alike
        <div key={index} className="skeleton-row" style={{ height }}>
          <Skeleton width={`${34 + ((index * 17) % 30)}%`} />
          <Skeleton width="12%" />
        </div>
      ))}
    </div>
  );
}

/** Shows what a query read; a skeleton until then; and when it failed, why, with a button to try again. */
export function Loaded<Data>({
  query,
  skeleton,
  children,
}: {
  query: Pick<UseQueryResult<Data>, 'data' | 'error' | 'refetch' | 'isFetching'>;
  skeleton: ReactNode;
  children(data: Data): ReactNode;
}) {
  if (query.data !== undefined) return children(query.data);
  if (query.error === null) return skeleton;
  return (
    <Notice
      kind="error"
      title="This could not be loaded"
      action={
        <Button size="small" busy={query.isFetching} onClick={() => void query.refetch()}>
          Try again
        </Button>
      }
    >
      {sentenceOf(query.error)}
    </Notice>
  );
}
