// Receivers for whole-system tests, closed by themselves, and what their requests say.
import { after } from 'node:test';
import type { newEvent } from './calls.ts';
import { type ReceivedRequest, type Receiver, startReceiver } from './receiver.ts';

/** Starts receivers that are closed when the block of tests ends. */
export function receivers() {
  const open: Receiver[] = [];
  after(() => Promise.all(open.map((one) => one.close())));
  return async (...options: Parameters<typeof startReceiver>): Promise<Receiver> => {
    const receiver = await startReceiver(...options);
    open.push(receiver);
    return receiver;
  };
}

/** The `seq` of an event made by `newEvent`. */
export const seqOf = ({ body }: ReceivedRequest): number =>
  Number((JSON.parse(body.toString()) as ReturnType<typeof newEvent>).payload.deployment.meta.seq);

/** The event's id. */
export const idOf = ({ body }: ReceivedRequest): string => (JSON.parse(body.toString()) as { id: string }).id;
