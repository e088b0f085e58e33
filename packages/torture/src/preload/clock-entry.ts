// Preloaded into a server whose clock is to jump: puts clock.ts here in the place of the server's.
import { replaceModule } from './replace.ts';

replaceModule('clock.ts', new URL('./clock.ts', import.meta.url));
