// On a phone: the navigation, the team switcher and the person's menu, from the side.
import { Dialog } from '@base-ui/react/dialog';
import { X } from 'lucide-react';
import type { ReactNode } from 'react';
import '../kit/dialog.css';

export default function Drawer({
  open,
  onClose,
  head,
  children,
}: {
  open: boolean;
  onClose(): void;
  head: ReactNode;
  children: ReactNode;
}) {
  return (
    <Dialog.Root
      open={open}
      onOpenChange={(next) => {
        if (!next) onClose();
      }}
    >
      <Dialog.Portal>
        <Dialog.Backdrop className="scrim" />
        <Dialog.Popup className="drawer">
          <Dialog.Title className="visually-hidden">Menu</Dialog.Title>
          <div className="row spread">
            {head}
            <Dialog.Close className="icon-button" aria-label="Close">
              <X size={18} aria-hidden />
            </Dialog.Close>
          </div>
          {children}
        </Dialog.Popup>
      </Dialog.Portal>
    </Dialog.Root>
  );
}
