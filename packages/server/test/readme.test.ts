// README's first delivery, as a reader would paste it: the same blocks, on ports and in a directory of their own.
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { test } from 'node:test';
import { newDataDir } from './support/posthorn.ts';

const root = new URL('../../../', import.meta.url).pathname;
const patienceMs = 60_000;

/** The pasteable blocks of the section, in order, each with the terminal that its first line names. */
function readBlocks(): { terminal: string; script: string }[] {
  const readme = readFileSync(join(root, 'README.md'), 'utf8');
  const section = /^## A first delivery in one minute\n([\s\S]*?)^## /m.exec(readme)?.[1] ?? '';
  return [...section.matchAll(/^```sh\n# terminal (\d)\n([\s\S]*?)^```$/gm)].map(
    ([, terminal = '', script = '']) => ({ terminal, script }),
  );
}

async function findFreePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  assert.ok(typeof address === 'object' && address !== null);
  return address.port;
}

/** A shell that runs pasted blocks, and what it has printed. */
class Terminal {
  readonly #shell: ChildProcess;
  #printed = '';
  #blocks = 0;

  constructor(env: NodeJS.ProcessEnv) {
    // A process group of its own, so that ending it ends what was started in it.
    this.#shell = spawn('bash', [], { cwd: root, env, detached: true });
    for (const stream of [this.#shell.stdout, this.#shell.stderr]) {
      stream?.setEncoding('utf8').on('data', (text: string) => {
        this.#printed += text;
        this.#shell.emit('printed');
      });
    }
  }

  paste(script: string): void {
    this.#shell.stdin?.write(script);
  }

  /** Pastes a block and resolves, when it is done, with what it printed. */
  async run(script: string): Promise<string> {
    this.#blocks += 1;
    const from = this.#printed.length;
    const end = `block ${this.#blocks} ended with `;
    this.paste(`${script}\nprintf '\\n${end}%d\\n' $?\n`);
    const code = (await this.waitFor(new RegExp(`${end}(\\d+)`)))[1];
    const output = this.#printed.slice(from);
    assert.equal(code, '0', output);
    return output.slice(0, output.lastIndexOf(end));
  }

  async waitFor(pattern: RegExp): Promise<RegExpExecArray> {
    const signal = AbortSignal.timeout(patienceMs);
    for (;;) {
      const found = pattern.exec(this.#printed);
      if (found !== null) return found;
      await once(this.#shell, 'printed', { signal }).catch(() => {
        throw new Error(`waited for ${pattern}; the terminal shows:\n${this.#printed}`);
      });
    }
  }

  close(): void {
    if (this.#shell.pid !== undefined) process.kill(-this.#shell.pid, 'SIGKILL');
  }
}

const ownSettings = /^(?:POSTHORN_|DATABASE_URL$)/;

test('the first delivery of the README works as it stands there', { timeout: 120_000 }, async (t) => {
  const blocks = readBlocks();
  assert.deepEqual(
    blocks.map(({ terminal }) => terminal),
    ['1', '2', '3', '3', '3'],
  );
  const dataDir = newDataDir();
  const [apiPort, receiverPort] = [await findFreePort(), await findFreePort()];
  const scripts = blocks.map(({ script }) =>
    script
      .replaceAll('127.0.0.1:4870', `127.0.0.1:${apiPort}`)
      .replaceAll('127.0.0.1:3000', `127.0.0.1:${receiverPort}`)
      .replaceAll('listen(3000,', `listen(${receiverPort},`)
      .replaceAll('data/admin-token', `${dataDir}/admin-token`),
  );
  assert.doesNotMatch(scripts.join('\n'), /4870|3000|[^/]data\//, 'nothing of this machine’s own is used');
  const env = {
    ...Object.fromEntries(Object.entries(process.env).filter(([name]) => !ownSettings.test(name))),
    POSTHORN_PORT: String(apiPort),
    POSTHORN_DATA_DIR: dataDir,
  };
  const [first, second, third] = [new Terminal(env), new Terminal(env), new Terminal(env)];
  t.after(() => {
    for (const terminal of [first, second, third]) terminal.close();
    rmSync(dataDir, { recursive: true, force: true });
  });

  first.paste(scripts[0] ?? '');
  second.paste(scripts[1] ?? '');
  await first.waitFor(/"msg":"started"/);
  await second.waitFor(/receiver ready/);

  const webhook = JSON.parse(await third.run(scripts[2] ?? '')) as { id: string; secret: string };
  assert.match(webhook.secret, /^[A-Za-z0-9]{32}$/);
  const published = JSON.parse(await third.run(scripts[3] ?? '')) as { id: string; deliveries: number };
  assert.equal(published.deliveries, 1);

  await second.waitFor(/POST \/hook [\s\S]*'x-vercel-signature': '[0-9a-f]{40}'/);
  await second.waitFor(/"id":"first-event","type":"project.created"/);
  // The log line of the attempt follows its record: from here on a reader finds it.
  await first.waitFor(/"next":"delivered","msg":"attempt"/);

  const delivery = JSON.parse(await third.run(scripts[4] ?? '')) as {
    webhookId: string;
    state: string;
    attempts: { status: number; response: { body: string } }[];
  };
  assert.equal(delivery.webhookId, webhook.id);
  assert.equal(delivery.state, 'delivered');
  assert.deepEqual(
    delivery.attempts.map(({ status, response }) => [status, response.body]),
    [[200, 'thanks']],
  );
});
