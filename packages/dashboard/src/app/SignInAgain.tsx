// A session that ended while somebody worked: they sign in again over the page, and go on where they were.
import { useQueryClient } from '@tanstack/react-query';
import { lazy, Suspense, useEffect, useSyncExternalStore } from 'react';
import { sessionGate } from '../api/session-gate.ts';
import { Dialog } from '../kit/Dialog.tsx';
import { announceSession, hearSession, sessionQuery } from './session.tsx';

const SignInForm = lazy(() => import('../pages/sign-in/SignInForm.tsx'));

export function SignInAgain() {
  const isEnded = useSyncExternalStore(sessionGate.subscribe, sessionGate.isEnded);
  const queries = useQueryClient();
  // Reading the session opens the gate if there is one again, for example because of another tab.
  const look = () => void queries.fetchQuery({ ...sessionQuery, staleTime: 0 });
  useEffect(() => {
    if (!isEnded) return undefined;
    return hearSession(() => void queries.fetchQuery({ ...sessionQuery, staleTime: 0 }));
  }, [isEnded, queries]);
  return (
    <Dialog
      open={isEnded}
      size="small"
      title="Sign in again"
      description="Your session has ended. What you typed is still here; once you are signed in, you go on where you were."
    >
      <Suspense fallback={null}>
        <SignInForm
          inPlace
          onSignedIn={() => {
            announceSession();
            look();
          }}
        />
      </Suspense>
    </Dialog>
  );
}
