// Puts a text on the clipboard, and says that it did.
import { Check, Copy as CopyGlyph } from 'lucide-react';
import { useEffect, useState } from 'react';
import { Button, IconButton } from './Button.tsx';
import { useToast } from './Toasts.tsx';

const shownMs = 1_600;

function useCopy(text: string | (() => string), what: string) {
  const toast = useToast();
  const [isCopied, setCopied] = useState(false);
  useEffect(() => {
    if (!isCopied) return undefined;
    const timer = setTimeout(() => setCopied(false), shownMs);
    return () => clearTimeout(timer);
  }, [isCopied]);
  const copy = async () => {
    try {
      await navigator.clipboard.writeText(typeof text === 'string' ? text : text());
      setCopied(true);
      toast(`Copied ${what}.`);
    } catch {
      toast('The browser does not let this page copy. Select the text and copy it yourself.', 'error');
    }
  };
  return { isCopied, copy };
}

interface CopyProps {
  text: string | (() => string);
  /** What is copied, as it stands in "Copied …": "the secret". */
  what: string;
}

export function Copy({ text, what }: CopyProps) {
  const { isCopied, copy } = useCopy(text, what);
  return (
    <IconButton
      size="small"
      icon={isCopied ? Check : CopyGlyph}
      label={`Copy ${what}`}
      onClick={() => void copy()}
    />
  );
}

export function CopyButton({ text, what, children }: CopyProps & { children: string }) {
  const { isCopied, copy } = useCopy(text, what);
  return (
    <Button size="small" icon={isCopied ? Check : CopyGlyph} onClick={() => void copy()}>
      {children}
    </Button>
  );
}
