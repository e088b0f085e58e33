// The receiver in a process of its own, for measurements: whoever publishes from the same thread has it wait, and with it
// everybody whose deliveries it should answer.
import { fork } from 'node:child_process';
import { once } from 'node:events';

export interface ReceiverApart {
  /** `http://127.0.0.1:port`, without a path. */
  readonly url: string;
  /** How many requests have arrived. */
  count(): Promise<number>;
  close(): Promise<void>;
}

export async function startReceiverApart(): Promise<ReceiverApart> {
  const child = fork(new URL('./receiver-process.ts', import.meta.url), { execArgv: [] });
  const ended = once(child, 'exit');
  const hear = async (): Promise<number> => {
    const heard = once(child, 'message') as Promise<[number]>;
    const died = ended.then(() => {
      throw new Error('The receiver has ended.');
    });
    const [number] = await Promise.race([heard, died]);
    return number;
  };
  const port = await hear();
  return {
    url: `http://127.0.0.1:${port}`,
    async count() {
      const answer = hear();
      child.send('count');
      return answer;
    },
    async close() {
      child.disconnect();
      await ended;
    },
  };
}
