// Puts other modules in the place of the server's seams, in a process that was started with this preloaded (node --import)
// and in its threads. Nothing in the server knows of it, and `posthorn start` has no way to it.
import { registerHooks } from 'node:module';

const server = new URL('../../../server/src/', import.meta.url).href;

/** Whoever imports `module` (a path in the server's sources) gets `by`, which itself gets the original. */
export function replaceModule(module: string, by: URL): void {
  const original = new URL(module, server).href;
  registerHooks({
    resolve(specifier, context, next) {
      const found = next(specifier, context);
      return found.url === original && context.parentURL !== by.href ? { ...found, url: by.href } : found;
    },
  });
}
