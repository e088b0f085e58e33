#!/usr/bin/env node
// The `posthorn` command. `start` runs a node in the foreground; what it prints for people is in greeting.ts. What the
// other commands do is the server's (commands.ts).
import {
  backUpStore,
  migrateStore,
  restoreStore,
  SettingsError,
  StartError,
  StoreError,
  startServer,
  version,
} from '@posthorn/server';
import { Command } from 'commander';
import { greet } from './greeting.ts';
import { settingsHelp } from './settings-help.ts';

const program = new Command('posthorn')
  .description('Vercel’s webhooks system as software anyone can run.')
  .version(version, '-v, --version', 'prints the version')
  .helpOption('-h, --help', 'prints this help')
  .configureOutput({
    outputError: (text, write) =>
      write(text.replace(/^error: (.)/, (_, first: string) => first.toUpperCase())),
  })
  .exitOverride((error) => process.exit(error.exitCode === 0 ? 0 : 2));

program
  .command('start')
  .description('runs a node: API and deliveries')
  .addHelpText('after', () => settingsHelp())
  .action(start);

program
  .command('migrate')
  .description('brings the store’s schema up to date, and does nothing else')
  .action(() => tell(migrateStore(process.env)));

program
  .command('backup <file>')
  .description('copies the SQLite store into a new file; a server may run on it')
  .action((file: string) => tell(backUpStore(process.env, file)));

program
  .command('restore <file>')
  .description('puts a backup in the place of the SQLite store, which is kept beside it')
  .option('--force', 'does away with the store that is there')
  .action((file: string, { force = false }: { force?: boolean }) =>
    tell(restoreStore(process.env, file, force)),
  );

/** Why it can't listen, in words. */
const listenSentences = new Map([
  ['EADDRINUSE', 'Another process listens on that port. Stop it, or set POSTHORN_PORT to a free one.'],
  ['EACCES', 'This user may not listen on that port. Set POSTHORN_PORT to one above 1023.'],
  [
    'EADDRNOTAVAIL',
    'POSTHORN_HOST is not an address of this machine. Set it to 127.0.0.1, or to 0.0.0.0 for all.',
  ],
  ['ENOTFOUND', 'POSTHORN_HOST is a name without an address. Set it to 127.0.0.1, or to 0.0.0.0 for all.'],
]);

/** Ctrl-C under `npm start` arrives twice, from the terminal and from npm: only what comes later is a second signal. */
const sameSignalMs = 500;

await program.parseAsync();

async function start(): Promise<void> {
  const starting = startServer(process.env);
  let state: 'running' | 'stopping' | 'impatient' = 'running';
  for (const [signal, code] of [
    ['SIGTERM', 143],
    ['SIGINT', 130],
  ] as const) {
    process.on(signal, () => {
      if (state === 'impatient') process.exit(code);
      if (state === 'stopping') return;
      state = 'stopping';
      setTimeout(() => {
        state = 'impatient';
      }, sameSignalMs).unref();
      starting.then((server) => server.stop()).then(() => process.exit(0), fail);
    });
  }
  try {
    process.stdout.write(greet(await starting));
  } catch (error) {
    fail(error);
  }
}

/** Prints what a command did, or why it did nothing. */
async function tell(doing: Promise<string>): Promise<void> {
  try {
    process.stdout.write(await doing);
  } catch (error) {
    fail(error);
  }
}

/** What the operator can mend is said in one sentence; anything else comes with its stack. */
function fail(error: unknown): never {
  process.stderr.write(`${sentenceOf(error) ?? (error instanceof Error ? error.stack : String(error))}\n`);
  process.exit(1);
}

function sentenceOf(error: unknown): string | undefined {
  if (error instanceof SettingsError || error instanceof StartError || error instanceof StoreError) {
    return error.message;
  }
  if (!(error instanceof Error) || !('code' in error) || !('syscall' in error)) return undefined;
  const isListening = error.syscall === 'listen' || error.syscall === 'getaddrinfo';
  return isListening ? listenSentences.get(String(error.code)) : undefined;
}
