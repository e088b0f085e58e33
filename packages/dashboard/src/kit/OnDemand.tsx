// A button whose menu is fetched when somebody comes near it, so that no first load pays for it.
import { type ComponentType, cloneElement, lazy, type ReactElement, Suspense, useState } from 'react';

/** What every such menu is given: its button. It is open from the start. */
interface Opened {
  trigger: ReactElement;
}

export interface Part<Props extends Opened> {
  Component: ComponentType<Props>;
  preload(): void;
}

/** The menu of a module, as its default. */
export function partOf<Props extends Opened>(
  load: () => Promise<{ default: ComponentType<Props> }>,
): Part<Props> {
  return {
    Component: lazy(load),
    preload() {
      // What fails now fails again, and is said, when it is pressed.
      load().catch(() => {});
    },
  };
}

export function OnDemand<Props extends Opened>({
  part: { Component, preload },
  trigger,
  props,
}: {
  part: Part<Props>;
  trigger: ReactElement<Record<string, unknown>>;
  props: Omit<Props, 'trigger'>;
}) {
  const [isPressed, setPressed] = useState(false);
  if (!isPressed) {
    return cloneElement(trigger, {
      'aria-haspopup': 'menu',
      'aria-expanded': false,
      onPointerEnter: preload,
      onFocus: preload,
      onClick: () => setPressed(true),
    });
  }
  return (
    <Suspense fallback={trigger}>
      <Component {...({ ...props, trigger } as unknown as Props)} />
    </Suspense>
  );
}
