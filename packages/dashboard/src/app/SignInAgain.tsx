// A session that ended while somebody worked: they sign in again over the page, and go on where they were.
import { lazy, Suspense, useSyncExternalStore } from 'react';
import { sessionGate } from '../api/session-gate.ts';

const SignInAgainDialog = lazy(() => import('./SignInAgainDialog.tsx'));

export function SignInAgain() {
  const isEnded = useSyncExternalStore(sessionGate.subscribe, sessionGate.isEnded);
  return <Suspense fallback={null}>{isEnded ? <SignInAgainDialog /> : null}</Suspense>;
}
