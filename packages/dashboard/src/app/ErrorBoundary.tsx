// A page that fails says so in its place; the shell around it still works.
import { Component, type ReactNode } from 'react';
import { Button } from '../kit/Button.tsx';
import { Notice } from '../kit/Page.tsx';

interface Props {
  /** Another one means another page: it gets another chance. */
  place: string;
  children: ReactNode;
}

interface State {
  error: Error | null;
  place: string;
}

export class ErrorBoundary extends Component<Props, State> {
  override state: State = { error: null, place: this.props.place };

  static getDerivedStateFromError(error: Error): Partial<State> {
    return { error };
  }

  static getDerivedStateFromProps(props: Props, state: State): Partial<State> | null {
    return props.place === state.place ? null : { error: null, place: props.place };
  }

  override render(): ReactNode {
    const { error } = this.state;
    if (error === null) return this.props.children;
    const isChunk = /dynamically imported module|module script|Failed to fetch|preload/i.test(error.message);
    return (
      <Notice
        kind="error"
        title={isChunk ? 'This page could not be fetched' : 'This page failed'}
        action={
          <Button size="small" onClick={() => window.location.reload()}>
            Reload
          </Button>
        }
      >
        {isChunk
          ? 'Posthorn may have been updated or stopped. Reload the page; what you typed in forms is kept.'
          : `Reload it; what you typed in forms is kept. If it fails again, this is what to report: ${error.message}`}
      </Notice>
    );
  }
}
