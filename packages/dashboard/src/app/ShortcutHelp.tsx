// What the keyboard can do on this page.
import { Fragment } from 'react';
import { Dialog } from '../kit/Dialog.tsx';
import { useShortcuts } from './shortcuts.ts';

export default function ShortcutHelp({ open, onClose }: { open: boolean; onClose(): void }) {
  const shortcuts = useShortcuts();
  const groups = [...new Set(shortcuts.map(({ group }) => group))];
  return (
    <Dialog open={open} onClose={onClose} title="Keyboard shortcuts" size="small">
      {groups.map((group) => (
        <section key={group} className="shortcut-group">
          <h3>{group}</h3>
          <dl className="shortcut-list">
            {shortcuts
              .filter((one) => one.group === group)
              .map(({ keys, does }) => (
                <Fragment key={keys}>
                  <dt>{does}</dt>
                  <dd>
                    {keys.split(' ').map((key, index) => (
                      <Fragment key={key}>
                        {index > 0 ? <span className="quiet small"> then </span> : null}
                        <kbd className="key">{key}</kbd>
                      </Fragment>
                    ))}
                  </dd>
                </Fragment>
              ))}
          </dl>
        </section>
      ))}
    </Dialog>
  );
}
