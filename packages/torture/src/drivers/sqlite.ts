// Posthorn on SQLite: one process, one file.
import { join } from 'node:path';
import { PosthornDriver, type PosthornOptions } from './posthorn.ts';

export class SqliteDriver extends PosthornDriver {
  override readonly store = 'sqlite';
  readonly dataDir: string;

  constructor(options: Omit<PosthornOptions, 'nodes'>, dataDir = join(options.dir, 'data')) {
    super({ ...options, nodes: 1 }, () => ({ POSTHORN_DATA_DIR: dataDir }));
    this.dataDir = dataDir;
  }
}
