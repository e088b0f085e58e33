// Where the dashboard starts.
import '@fontsource-variable/geist/wght.css';
import '@fontsource-variable/geist-mono/wght.css';
import './styles/tokens.css';
import './styles/base.css';
import './kit/table.css';
import './app/navigation.ts';
import './app/theme.ts';
import { CSPProvider } from '@base-ui/react/csp-provider';
import { QueryClient, QueryClientProvider } from '@tanstack/react-query';
import { StrictMode } from 'react';
import { createRoot } from 'react-dom/client';
import { Router } from 'wouter';
import { App } from './app/App.tsx';
import { ErrorBoundary } from './app/ErrorBoundary.tsx';
import { ConfirmProvider } from './kit/Confirm.tsx';
import { ToastProvider } from './kit/Toasts.tsx';

// Repeating what failed is the client's business (api/client.ts), which knows what may be repeated.
const queries = new QueryClient({
  defaultOptions: { queries: { retry: false, staleTime: 5_000 }, mutations: { retry: false } },
});

const root = document.getElementById('root');
if (root === null) throw new Error('index.html has no #root');

createRoot(root).render(
  <StrictMode>
    <CSPProvider disableStyleElements>
      <QueryClientProvider client={queries}>
        <ToastProvider>
          <ConfirmProvider>
            <ErrorBoundary place="app">
              <Router base="/app">
                <App />
              </Router>
            </ErrorBoundary>
          </ConfirmProvider>
        </ToastProvider>
      </QueryClientProvider>
    </CSPProvider>
  </StrictMode>,
);
