// A short text beside what it explains, on hover and on focus. It is for the eyes: what it says is also the label or the
// description of what it explains, so it is not read out a second time. Its own few lines, since every page needs them
// and a library's weigh 30 kB.
import { type ReactNode, type SyntheticEvent, useEffect, useRef, useState } from 'react';
import { createPortal } from 'react-dom';
import './tooltip.css';

const delayMs = 350;
const gap = 6;
const margin = 8;

export function Tooltip({ text, children }: { text: ReactNode; children: ReactNode }) {
  const [anchor, setAnchor] = useState<DOMRect | null>(null);
  const timer = useRef<ReturnType<typeof setTimeout>>(undefined);
  useEffect(() => () => clearTimeout(timer.current), []);
  const show = ({ currentTarget }: SyntheticEvent<HTMLElement>, afterMs: number) => {
    clearTimeout(timer.current);
    timer.current = setTimeout(
      () => setAnchor(currentTarget.firstElementChild?.getBoundingClientRect() ?? null),
      afterMs,
    );
  };
  const hide = () => {
    clearTimeout(timer.current);
    setAnchor(null);
  };
  return (
    // biome-ignore lint/a11y/noStaticElementInteractions: it only listens to what happens to its content
    <span
      className="tooltip-anchor"
      onPointerEnter={(event) => {
        if (event.pointerType === 'mouse') show(event, delayMs);
      }}
      onPointerLeave={hide}
      onPointerDown={hide}
      onFocus={(event) => {
        if (event.target.matches(':focus-visible')) show(event, 0);
      }}
      onBlur={hide}
      onKeyDown={hide}
    >
      {children}
      {anchor === null ? null : <Tip anchor={anchor} text={text} onHide={hide} />}
    </span>
  );
}

function Tip({ anchor, text, onHide }: { anchor: DOMRect; text: ReactNode; onHide(): void }) {
  useEffect(() => {
    window.addEventListener('scroll', onHide, true);
    return () => window.removeEventListener('scroll', onHide, true);
  });
  /** Below what it explains, above it where there is no room below, and never over the edge of the window. */
  const place = (tip: HTMLElement | null) => {
    if (tip === null) return;
    const { width, height } = tip.getBoundingClientRect();
    const below = anchor.bottom + gap;
    const top = below + height + margin > window.innerHeight ? anchor.top - gap - height : below;
    const middle = anchor.left + anchor.width / 2 - width / 2;
    const left = Math.max(margin, Math.min(middle, document.documentElement.clientWidth - width - margin));
    tip.style.top = `${top}px`;
    tip.style.left = `${left}px`;
  };
  return createPortal(
    <div ref={place} className="tooltip" aria-hidden>
      {text}
    </div>,
    document.body,
  );
}
