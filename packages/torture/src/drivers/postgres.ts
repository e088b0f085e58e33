// Posthorn on PostgreSQL: several processes on one database, each behind a proxy of its own.
import { join } from 'node:path';
import { startTcpProxy, type TcpProxy } from '../../../server/test/support/tcp-proxy.ts';
import { startDatabase, type TortureDatabase } from './database.ts';
import { PosthornDriver, type PosthornOptions } from './posthorn.ts';

export class PostgresDriver extends PosthornDriver {
  override readonly store = 'postgres';
  readonly database: TortureDatabase;
  /** The way of each node to the database. */
  readonly ways: TcpProxy[];

  private constructor(options: PosthornOptions, database: TortureDatabase, ways: TcpProxy[]) {
    super(options, (node) => {
      const url = new URL(database.url);
      url.port = String(ways[node]?.port);
      return {
        DATABASE_URL: url.href,
        POSTHORN_DATA_DIR: join(options.dir, `data-${node}`),
        POSTHORN_DATABASE_TIMEOUT: '2s',
      };
    });
    this.database = database;
    this.ways = ways;
  }

  static async create(options: PosthornOptions): Promise<PostgresDriver> {
    const database = await startDatabase();
    const ways: TcpProxy[] = [];
    for (let node = 0; node < options.nodes; node++) ways.push(await startTcpProxy(database.server.port));
    return new PostgresDriver(options, database, ways);
  }

  override async stop(): Promise<void> {
    await super.stop();
    for (const way of this.ways) await way.close();
    await this.database.server.stop();
  }
}
