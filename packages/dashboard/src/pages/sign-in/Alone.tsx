// The frame of pages that stand alone, before anybody is signed in.
import { type ReactNode, useEffect, useState } from 'react';
import { Logo } from '../../kit/Logo.tsx';
import './sign-in.css';

export function Alone({ title, lead, children }: { title: string; lead?: ReactNode; children: ReactNode }) {
  useEffect(() => {
    document.title = `${title} · Posthorn`;
  }, [title]);
  return (
    <main className="alone">
      <div className="sign-in">
        <div className="sign-in-head">
          <Logo size={40} />
          <h1>{title}</h1>
          {lead === undefined ? null : <p className="quiet">{lead}</p>}
        </div>
        {children}
      </div>
    </main>
  );
}

/**
 * The token in the address's fragment, taken out of the address at once: it is in no history, and a reload of the tab
 * keeps it, since the tab's own storage has it until it was used.
 */
function takeToken(kind: 'sign-in' | 'invitation'): string | null {
  const key = `posthorn.token.${kind}`;
  const fromAddress = /^#([A-Za-z0-9_-]{8,200})$/.exec(window.location.hash)?.[1] ?? null;
  try {
    if (fromAddress !== null) sessionStorage.setItem(key, fromAddress);
    else return sessionStorage.getItem(key);
  } catch {
    // Without storage a reload needs the link once more.
  }
  if (fromAddress !== null)
    history.replaceState(history.state, '', window.location.pathname + window.location.search);
  return fromAddress;
}

/** The token of the link that was opened, also of one opened while this page was there already. */
export function useToken(kind: 'sign-in' | 'invitation'): [string | null, (token: null) => void] {
  const [token, setToken] = useState(() => takeToken(kind));
  useEffect(() => {
    const take = () => setToken(takeToken(kind));
    window.addEventListener('hashchange', take);
    return () => window.removeEventListener('hashchange', take);
  }, [kind]);
  return [token, setToken];
}

export function dropToken(kind: 'sign-in' | 'invitation'): void {
  try {
    sessionStorage.removeItem(`posthorn.token.${kind}`);
  } catch {
    // There is none then.
  }
}
