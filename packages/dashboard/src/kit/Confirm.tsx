// Asking before something that can't be undone. The dialog itself is fetched when the first question is asked.
import {
  createContext,
  lazy,
  type ReactNode,
  Suspense,
  useCallback,
  useContext,
  useRef,
  useState,
} from 'react';

export interface Question {
  title: ReactNode;
  body: ReactNode;
  /** What the confirming button says: a verb. */
  confirm: string;
  danger?: boolean;
  /** Done while the dialog is still open; when it fails, its sentence is shown there. */
  act(): Promise<unknown>;
}

type Ask = (question: Question) => Promise<boolean>;

const AskContext = createContext<Ask | null>(null);
const ConfirmDialog = lazy(() => import('./ConfirmDialog.tsx'));

/** Asks, acts when it is confirmed, and resolves with whether it was done. */
export function useConfirm(): Ask {
  const ask = useContext(AskContext);
  if (ask === null) throw new Error('useConfirm outside of ConfirmProvider');
  return ask;
}

export function ConfirmProvider({ children }: { children: ReactNode }) {
  const [asked, setAsked] = useState<{ question: Question; count: number } | null>(null);
  const settle = useRef<(done: boolean) => void>(() => {});
  const ask = useCallback<Ask>((question) => {
    setAsked((before) => ({ question, count: (before?.count ?? 0) + 1 }));
    return new Promise((resolve) => {
      settle.current = resolve;
    });
  }, []);
  return (
    <AskContext value={ask}>
      {children}
      {asked === null ? null : (
        <Suspense fallback={null}>
          <ConfirmDialog
            key={asked.count}
            question={asked.question}
            onSettled={(done) => settle.current(done)}
          />
        </Suspense>
      )}
    </AskContext>
  );
}
