#!/usr/bin/env node
// The `posthorn` command. `start` runs a node in the foreground; what it prints for people is in greeting.ts.
import { SettingsError, StartError, StoreError, startServer, version } from '@posthorn/server';
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

await program.parseAsync();

async function start(): Promise<void> {
  try {
    const server = await startServer(process.env);
    process.stdout.write(greet(server));
    let signals = 0;
    for (const [signal, code] of [
      ['SIGTERM', 143],
      ['SIGINT', 130],
    ] as const) {
      process.on(signal, () => {
        signals += 1;
        if (signals > 1) process.exit(code);
        server.stop().then(
          () => process.exit(0),
          (error: unknown) => fail(error),
        );
      });
    }
  } catch (error) {
    fail(error);
  }
}

/** What the operator can mend is said in one sentence; anything else comes with its stack. */
function fail(error: unknown): never {
  const known = error instanceof SettingsError || error instanceof StartError || error instanceof StoreError;
  const portTaken = (error as NodeJS.ErrnoException).code === 'EADDRINUSE';
  if (known) process.stderr.write(`${error.message}\n`);
  else if (portTaken)
    process.stderr.write(
      'Another process listens on that port. Stop it, or set POSTHORN_PORT to a free one.\n',
    );
  else process.stderr.write(`${error instanceof Error ? error.stack : String(error)}\n`);
  process.exit(1);
}
