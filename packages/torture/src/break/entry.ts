// Preloaded into a server of which one protection is to be off: puts decorated seams in the place of the real ones.
import { DatabaseSync } from 'node:sqlite';
import { replaceModule } from '../preload/replace.ts';
import { breakVariable } from './protections.ts';

switch (process.env[breakVariable]) {
  case 'wrong-bytes':
    replaceModule('engine/http-sender.ts', new URL('./sender.ts', import.meta.url));
    break;
  case 'no-fsync':
    forbidSyncs();
    break;
  default:
    replaceModule('store/open.ts', new URL('./store.ts', import.meta.url));
}

/** SQLite is told not to sync, in every thread that opens the file. */
function forbidSyncs(): void {
  const { exec } = DatabaseSync.prototype;
  DatabaseSync.prototype.exec = function relaxed(sql: string) {
    return exec.call(this, sql.replace(/synchronous\s*=\s*FULL/i, 'synchronous = OFF'));
  };
}
