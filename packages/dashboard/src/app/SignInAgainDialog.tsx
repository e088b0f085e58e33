// The dialog over a page whose session ended (SignInAgain.tsx): it is there for as long as there is none.
import { useQueryClient } from '@tanstack/react-query';
import { Dialog } from '../kit/Dialog.tsx';
import SignInForm from '../pages/sign-in/SignInForm.tsx';
import { announceSession, sessionQuery } from './session.tsx';

export default function SignInAgainDialog() {
  const queries = useQueryClient();
  return (
    <Dialog
      open
      size="small"
      title="Sign in again"
      description="Your session has ended. What you typed is still here; once you are signed in, you go on where you were."
    >
      <SignInForm
        inPlace
        onSignedIn={() => {
          announceSession('in');
          // Reading the session opens the gate. Another tab's news does the same (followSession).
          void queries.fetchQuery({ ...sessionQuery, staleTime: 0 });
        }}
      />
    </Dialog>
  );
}
