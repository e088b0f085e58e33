// A session that ends in the middle: calls that met it wait here until the person has signed in again, in place
// (app/SignInAgain.tsx), and are then made once more.

let hadSession = false;
let isEnded = false;
let waiting: ((signedIn: boolean) => void)[] = [];
const listeners = new Set<() => void>();

const tell = () => {
  for (const listener of listeners) listener();
};

/** Says that somebody is signed in: from here on a 401 means that the session ended. */
export function noteSession(): void {
  hadSession = true;
  if (!isEnded) return;
  isEnded = false;
  const calls = waiting;
  waiting = [];
  for (const resume of calls) resume(true);
  tell();
}

/** Says that the person left by themselves: nothing waits any more. */
export function forgetSession(): void {
  hadSession = false;
  isEnded = false;
  for (const resume of waiting) resume(false);
  waiting = [];
  tell();
}

/** Says that the session is over, though no call waits for another one. */
export function noteSessionEnd(): void {
  if (!hadSession || isEnded) return;
  isEnded = true;
  tell();
}

/** A call met a 401: resolves true once there is a session again, false when there was none to lose. */
export async function endedSession(signal?: AbortSignal): Promise<boolean> {
  if (!hadSession) return false;
  noteSessionEnd();
  return new Promise((resolve, reject) => {
    waiting.push(resolve);
    signal?.addEventListener('abort', () => reject(signal.reason), { once: true });
  });
}

export const sessionGate = {
  isEnded: () => isEnded,
  subscribe(listener: () => void): () => void {
    listeners.add(listener);
    return () => listeners.delete(listener);
  },
};
