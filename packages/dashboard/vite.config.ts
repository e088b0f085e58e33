// How the dashboard is put together: hashed files under /app/assets, nothing inline, one chunk for each page.
import react from '@vitejs/plugin-react';
import { defineConfig } from 'vite';

/** Where `npm run dev` finds the API. */
const server = process.env.POSTHORN_URL ?? 'http://127.0.0.1:4870';

export default defineConfig({
  root: import.meta.dirname,
  base: '/app/',
  plugins: [react()],
  server: {
    proxy: Object.fromEntries(['/v1', '/v2', '/v3', '/v9', '/app/oidc'].map((path) => [path, server])),
  },
  build: {
    target: 'es2023',
    // A font or an icon as a data: address would need a wider Content-Security-Policy.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    reportCompressedSize: false,
    manifest: true,
  },
});
