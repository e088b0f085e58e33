// The receiver as the tester sees it: a process that is started, told how to behave, and stopped.
import { fork } from 'node:child_process';
import type { FromReceiver, ReceiverSettings, ToReceiver } from './messages.ts';

export interface Receiver {
  /** Where a hook of this name is reached. */
  urlOf(hook: string): string;
  behaveRoughly(rough: boolean): Promise<void>;
  /** Writes its record to the end and stops. */
  stop(): Promise<void>;
}

export async function startReceiver(settings: ReceiverSettings): Promise<Receiver> {
  const child = fork(new URL('./process.ts', import.meta.url), { execArgv: [] });
  const died = new Promise<never>((_, reject) => {
    child.once('exit', () => reject(new Error('The receiver ended in the middle of the run.')));
  });
  // Whoever waits for an answer hears of it.
  died.catch(() => {});
  const hear = <Kind extends FromReceiver['kind']>(kind: Kind) =>
    new Promise<Extract<FromReceiver, { kind: Kind }>>((resolve) => {
      const look = (message: FromReceiver) => {
        if (message.kind !== kind) return;
        child.off('message', look);
        resolve(message as Extract<FromReceiver, { kind: Kind }>);
      };
      child.on('message', look);
    });
  const ask = async <Kind extends FromReceiver['kind']>(message: ToReceiver, kind: Kind) => {
    const heard = hear(kind);
    child.send(message);
    return Promise.race([heard, died]);
  };
  const { port } = await ask({ kind: 'start', settings }, 'started');
  return {
    urlOf: (hook) => `http://127.0.0.1:${port}/hooks/${hook}`,
    async behaveRoughly(rough) {
      await ask({ kind: 'rough', rough }, 'heard');
    },
    async stop() {
      await ask({ kind: 'stop' }, 'stopped');
      child.disconnect();
    },
  };
}
