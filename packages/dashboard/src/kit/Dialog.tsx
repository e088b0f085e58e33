// Something that must be dealt with before the page goes on: a Dialog, or a question that can be confirmed (Confirm).
import { AlertDialog } from '@base-ui/react/alert-dialog';
import { Dialog as Base } from '@base-ui/react/dialog';
import { X } from 'lucide-react';
import { createContext, type ReactNode, useCallback, useContext, useMemo, useRef, useState } from 'react';
import { sentenceOf } from '../api/client.ts';
import { Button } from './Button.tsx';
import './dialog.css';

export interface DialogProps {
  open: boolean;
  /** Called by Escape, the cross and a press outside; leave it out where only the dialog's own buttons close it. */
  onClose?: () => void;
  title: ReactNode;
  description?: ReactNode;
  children?: ReactNode;
  /** The buttons, right-aligned; the main one last. */
  footer?: ReactNode;
  size?: 'small' | 'medium' | 'large';
}

export function Dialog({
  open,
  onClose,
  title,
  description,
  children,
  footer,
  size = 'medium',
}: DialogProps) {
  return (
    <Base.Root
      open={open}
      disablePointerDismissal={onClose === undefined}
      onOpenChange={(next) => {
        if (!next) onClose?.();
      }}
    >
      <Base.Portal>
        <Base.Backdrop className="scrim" />
        <Base.Popup className="dialog" data-size={size}>
          <div className="dialog-head">
            <Base.Title className="dialog-title">{title}</Base.Title>
            {onClose === undefined ? null : (
              <Base.Close className="icon-button" aria-label="Close">
                <X size={16} aria-hidden />
              </Base.Close>
            )}
          </div>
          <div className="dialog-body">
            {description === undefined ? null : (
              <Base.Description className="dialog-description">{description}</Base.Description>
            )}
            {children}
          </div>
          {footer === undefined ? null : <div className="dialog-foot">{footer}</div>}
        </Base.Popup>
      </Base.Portal>
    </Base.Root>
  );
}

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

/** Asks, acts when it is confirmed, and resolves with whether it was done. */
export function useConfirm(): Ask {
  const ask = useContext(AskContext);
  if (ask === null) throw new Error('useConfirm outside of ConfirmProvider');
  return ask;
}

export function ConfirmProvider({ children }: { children: ReactNode }) {
  const [question, setQuestion] = useState<Question | null>(null);
  const [isOpen, setOpen] = useState(false);
  const [isBusy, setBusy] = useState(false);
  const [failure, setFailure] = useState<string | null>(null);
  const settle = useRef<(done: boolean) => void>(() => {});

  const ask = useCallback<Ask>((next) => {
    setQuestion(next);
    setFailure(null);
    setBusy(false);
    setOpen(true);
    return new Promise((resolve) => {
      settle.current = resolve;
    });
  }, []);
  const close = (done: boolean) => {
    setOpen(false);
    settle.current(done);
  };
  const confirm = async () => {
    setBusy(true);
    try {
      await question?.act();
      close(true);
    } catch (error) {
      setFailure(sentenceOf(error));
      setBusy(false);
    }
  };
  return (
    <AskContext value={useMemo(() => ask, [ask])}>
      {children}
      <AlertDialog.Root
        open={isOpen}
        onOpenChange={(next) => {
          if (!next && !isBusy) close(false);
        }}
      >
        <AlertDialog.Portal>
          <AlertDialog.Backdrop className="scrim" />
          <AlertDialog.Popup className="dialog" data-size="small">
            <div className="dialog-head">
              <AlertDialog.Title className="dialog-title">{question?.title}</AlertDialog.Title>
            </div>
            <div className="dialog-body">
              <AlertDialog.Description className="dialog-description" render={<div />}>
                {question?.body}
              </AlertDialog.Description>
              <div role="alert" className="field-error">
                {failure}
              </div>
            </div>
            <div className="dialog-foot">
              <Button onClick={() => close(false)}>Cancel</Button>
              <Button
                kind={question?.danger === true ? 'danger' : 'primary'}
                busy={isBusy}
                onClick={() => void confirm()}
              >
                {question?.confirm}
              </Button>
            </div>
          </AlertDialog.Popup>
        </AlertDialog.Portal>
      </AlertDialog.Root>
    </AskContext>
  );
}
