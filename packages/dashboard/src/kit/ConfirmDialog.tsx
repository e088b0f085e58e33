// The dialog of one question (Confirm.tsx): open from the start, closed by its answer.
import { AlertDialog } from '@base-ui/react/alert-dialog';
import { useState } from 'react';
import { sentenceOf } from '../api/client.ts';
import { Button } from './Button.tsx';
import type { Question } from './Confirm.tsx';
import './dialog.css';

export default function ConfirmDialog({
  question,
  onSettled,
}: {
  question: Question;
  onSettled(done: boolean): void;
}) {
  const [isOpen, setOpen] = useState(true);
  const [isBusy, setBusy] = useState(false);
  const [failure, setFailure] = useState<string | null>(null);
  const close = (done: boolean) => {
    setOpen(false);
    onSettled(done);
  };
  const confirm = async () => {
    setBusy(true);
    setFailure(null);
    try {
      await question.act();
      close(true);
    } catch (error) {
      setFailure(sentenceOf(error));
      setBusy(false);
    }
  };
  return (
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
            <AlertDialog.Title className="dialog-title">{question.title}</AlertDialog.Title>
          </div>
          <div className="dialog-body">
            <AlertDialog.Description className="dialog-description" render={<div />}>
              {question.body}
            </AlertDialog.Description>
            <div role="alert" className="field-error">
              {failure}
            </div>
          </div>
          <div className="dialog-foot">
            <Button onClick={() => close(false)}>Cancel</Button>
            <Button
              kind={question.danger === true ? 'danger' : 'primary'}
              busy={isBusy}
              onClick={() => void confirm()}
            >
              {question.confirm}
            </Button>
          </div>
        </AlertDialog.Popup>
      </AlertDialog.Portal>
    </AlertDialog.Root>
  );
}
