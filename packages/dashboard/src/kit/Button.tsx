// Things to press. A link that looks like a button is a ButtonLink; a button with only an icon is an IconButton.
import type { ButtonHTMLAttributes, ComponentType, ReactNode, Ref } from 'react';
import { Link } from 'wouter';
import { Tooltip } from './Tooltip.tsx';
import './button.css';

export type Icon = ComponentType<{ size?: number | string; 'aria-hidden'?: boolean; className?: string }>;

export interface ButtonProps extends Omit<ButtonHTMLAttributes<HTMLButtonElement>, 'disabled'> {
  kind?: 'primary' | 'secondary' | 'plain' | 'danger';
  size?: 'small' | 'medium' | 'large';
  icon?: Icon;
  /** It works: the button keeps its width and hears no second press. */
  busy?: boolean;
  /** Why it can't be pressed. The button stays focusable, so that the reason can be heard. */
  why?: string | null;
  ref?: Ref<HTMLButtonElement>;
}

export function Button({
  kind = 'secondary',
  size = 'medium',
  icon: Glyph,
  busy = false,
  why = null,
  onClick,
  children,
  ...rest
}: ButtonProps) {
  const isOff = busy || why !== null;
  const button = (
    <button
      type="button"
      {...rest}
      className="button"
      data-kind={kind}
      data-size={size}
      data-busy={busy || undefined}
      aria-disabled={isOff || undefined}
      aria-busy={busy || undefined}
      aria-description={why ?? undefined}
      onClick={(event) => {
        if (isOff) event.preventDefault();
        else onClick?.(event);
      }}
    >
      {Glyph === undefined ? null : <Glyph size={16} aria-hidden />}
      <span className="button-text">{children}</span>
      {busy ? <span className="spinner" /> : null}
    </button>
  );
  return why === null ? button : <Tooltip text={why}>{button}</Tooltip>;
}

export function ButtonLink({
  kind = 'secondary',
  size = 'medium',
  icon: Glyph,
  href,
  children,
}: {
  kind?: ButtonProps['kind'];
  size?: ButtonProps['size'];
  icon?: Icon;
  href: string;
  children: ReactNode;
}) {
  return (
    <Link href={href} className="button" data-kind={kind} data-size={size}>
      {Glyph === undefined ? null : <Glyph size={16} aria-hidden />}
      <span className="button-text">{children}</span>
    </Link>
  );
}

export function IconButton({
  label,
  icon: Glyph,
  size = 'medium',
  onClick,
  ...rest
}: Omit<ButtonHTMLAttributes<HTMLButtonElement>, 'disabled'> & {
  label: string;
  icon: Icon;
  size?: 'small' | 'medium';
  ref?: Ref<HTMLButtonElement>;
}) {
  return (
    <Tooltip text={label}>
      <button
        type="button"
        {...rest}
        className="icon-button"
        data-size={size}
        aria-label={label}
        onClick={onClick}
      >
        <Glyph size={16} aria-hidden />
      </button>
    </Tooltip>
  );
}
