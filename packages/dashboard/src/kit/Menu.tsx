// A button that opens a list of things to do, places to go, or one thing to choose.
import { Menu as Base } from '@base-ui/react/menu';
import { Check } from 'lucide-react';
import type { ReactElement, ReactNode } from 'react';
import { Link } from 'wouter';
import type { Icon } from './Button.tsx';
import './menu.css';

export function Menu({
  trigger,
  align = 'end',
  side = 'bottom',
  defaultOpen = false,
  children,
}: {
  trigger: ReactElement;
  align?: 'start' | 'end';
  side?: 'bottom' | 'top';
  /** Open from the start: for one that is mounted by the press on its trigger (OnDemand). */
  defaultOpen?: boolean;
  children: ReactNode;
}) {
  return (
    <Base.Root defaultOpen={defaultOpen}>
      <Base.Trigger render={trigger} />
      <Base.Portal>
        <Base.Positioner className="layer" align={align} side={side} sideOffset={6}>
          <Base.Popup className="menu">{children}</Base.Popup>
        </Base.Positioner>
      </Base.Portal>
    </Base.Root>
  );
}

export function MenuItem({
  icon: Glyph,
  danger = false,
  onSelect,
  children,
}: {
  icon?: Icon;
  danger?: boolean;
  onSelect(): void;
  children: ReactNode;
}) {
  return (
    <Base.Item className="menu-item" data-danger={danger || undefined} onClick={onSelect}>
      {Glyph === undefined ? null : <Glyph size={16} aria-hidden />}
      <span className="cut">{children}</span>
    </Base.Item>
  );
}

export function MenuLink({
  icon: Glyph,
  href,
  children,
}: {
  icon?: Icon;
  href: string;
  children: ReactNode;
}) {
  return (
    <Base.Item className="menu-item" render={<Link href={href} />}>
      {Glyph === undefined ? null : <Glyph size={16} aria-hidden />}
      <span className="cut">{children}</span>
    </Base.Item>
  );
}

export function MenuChoice<Value extends string>({
  label,
  value,
  choices,
  onChange,
}: {
  label: string;
  value: Value;
  choices: readonly { value: Value; label: ReactNode }[];
  onChange(value: Value): void;
}) {
  return (
    <Base.Group>
      <Base.GroupLabel className="menu-label">{label}</Base.GroupLabel>
      <Base.RadioGroup value={value} onValueChange={(next) => onChange(next as Value)}>
        {choices.map((choice) => (
          <Base.RadioItem key={choice.value} value={choice.value} className="menu-item" closeOnClick>
            <span className="cut grow">{choice.label}</span>
            <Base.RadioItemIndicator className="menu-check">
              <Check size={16} aria-hidden />
            </Base.RadioItemIndicator>
          </Base.RadioItem>
        ))}
      </Base.RadioGroup>
    </Base.Group>
  );
}

export const MenuLine = () => <Base.Separator className="menu-line" />;
