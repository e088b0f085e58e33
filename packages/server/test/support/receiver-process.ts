// The process of receiver-apart.ts: tells its port, and how many requests there were whenever it is asked.
import { startReceiver } from './receiver.ts';

const receiver = await startReceiver();
process.on('message', () => process.send?.(receiver.requests.length));
process.once('disconnect', () => process.exit());
process.send?.(receiver.port);
