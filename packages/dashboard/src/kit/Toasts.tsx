// Short news in the corner, read out by screen readers. What must not be missed is said in the page instead.
import { CircleAlert, CircleCheck, X } from 'lucide-react';
import { createContext, type ReactNode, useCallback, useContext, useEffect, useState } from 'react';
import './toasts.css';

type Kind = 'done' | 'error';
interface Toast {
  id: number;
  text: string;
  kind: Kind;
}
type Say = (text: string, kind?: Kind) => void;

const SayContext = createContext<Say | null>(null);
const shownMs: Record<Kind, number> = { done: 4_000, error: 9_000 };
let lastId = 0;

/** Says something in the corner. */
export function useToast(): Say {
  const say = useContext(SayContext);
  if (say === null) throw new Error('useToast outside of ToastProvider');
  return say;
}

export function ToastProvider({ children }: { children: ReactNode }) {
  const [toasts, setToasts] = useState<Toast[]>([]);
  const say = useCallback<Say>((text, kind = 'done') => {
    lastId += 1;
    const toast = { id: lastId, text, kind };
    setToasts((before) => [...before.slice(-2), toast]);
  }, []);
  const drop = useCallback((id: number) => setToasts((before) => before.filter((one) => one.id !== id)), []);
  return (
    <SayContext value={say}>
      {children}
      <div className="toasts" role="status" aria-live="polite" aria-relevant="additions">
        {toasts.map((toast) => (
          <ToastLine key={toast.id} toast={toast} onDrop={drop} />
        ))}
      </div>
    </SayContext>
  );
}

function ToastLine({ toast: { id, text, kind }, onDrop }: { toast: Toast; onDrop(id: number): void }) {
  const [isHeld, setHeld] = useState(false);
  useEffect(() => {
    if (isHeld) return undefined;
    const timer = setTimeout(() => onDrop(id), shownMs[kind]);
    return () => clearTimeout(timer);
  }, [id, kind, isHeld, onDrop]);
  const Glyph = kind === 'error' ? CircleAlert : CircleCheck;
  return (
    // biome-ignore lint/a11y/noStaticElementInteractions: hovering only makes it stay
    <div
      className="toast"
      data-kind={kind}
      onPointerEnter={() => setHeld(true)}
      onPointerLeave={() => setHeld(false)}
      onFocus={() => setHeld(true)}
      onBlur={() => setHeld(false)}
    >
      <Glyph size={16} aria-hidden />
      <span className="grow">{text}</span>
      <button
        type="button"
        className="icon-button"
        data-size="small"
        aria-label="Dismiss"
        onClick={() => onDrop(id)}
      >
        <X size={14} aria-hidden />
      </button>
    </div>
  );
}
