// Something that must be dealt with before the page goes on. A question that is only confirmed is asked by useConfirm.
import { Dialog as Base } from '@base-ui/react/dialog';
import { X } from 'lucide-react';
import type { ReactNode } from 'react';
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
