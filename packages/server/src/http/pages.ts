// The dashboard's built files in memory, each with its compressed twins: what is served stays of one build even where
// another one is swapped in, and no path of a request ever reaches the file system.
import { hash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { extname, join, sep } from 'node:path';

const types: Record<string, string> = {
  '.css': 'text/css; charset=utf-8',
  '.html': 'text/html; charset=utf-8',
  '.ico': 'image/x-icon',
  '.js': 'text/javascript; charset=utf-8',
  '.json': 'application/json',
  '.png': 'image/png',
  '.svg': 'image/svg+xml',
  '.txt': 'text/plain; charset=utf-8',
  '.webmanifest': 'application/manifest+json',
  '.woff2': 'font/woff2',
};

/** The build compresses what is worth it. Best first. */
const encodings = [
  { name: 'br', suffix: '.br' },
  { name: 'gzip', suffix: '.gz' },
] as const;

type Encoding = (typeof encodings)[number]['name'];

/** The bytes of a file in one encoding. */
export interface Body {
  encoding: Encoding | null;
  etag: string;
  bytes: Buffer;
}

export interface BuiltFile {
  type: string;
  /** Whether the name changes with the content, so that it may be kept for ever. */
  immutable: boolean;
  /** Best encoding first, the plain one last. */
  bodies: Body[];
}

/** The files by their path below `/app/`. */
export type Pages = ReadonlyMap<string, BuiltFile>;

/** The page for every path that is the dashboard's own to understand. */
export const indexPath = 'index.html';

/** Reads a build; null where there is none. Hidden files, and those of no type that pages load, are left out. */
export function readPages(folder: string): Pages | null {
  const pages = new Map<string, BuiltFile>();
  let names: string[];
  try {
    names = readdirSync(folder, { recursive: true, encoding: 'utf8' });
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return null;
    throw error;
  }
  const there = new Set(names);
  for (const name of names) {
    const type = types[extname(name)];
    const path = name.split(sep).join('/');
    if (type === undefined || path.split('/').some((part) => part.startsWith('.'))) continue;
    const twins = encodings
      .filter(({ suffix }) => there.has(name + suffix))
      .map(({ name: encoding, suffix }) => readBody(join(folder, name + suffix), encoding));
    pages.set(path, {
      type,
      immutable: path.startsWith('assets/'),
      bodies: [...twins, readBody(join(folder, name), null)],
    });
  }
  return pages.has(indexPath) ? pages : null;
}

function readBody(file: string, encoding: Encoding | null): Body {
  const bytes = readFileSync(file);
  return { encoding, bytes, etag: `"${hash('sha256', bytes, 'base64url').slice(0, 22)}"` };
}

/** The best body that a client takes, by its `Accept-Encoding`; the plain one is always taken. */
export function chooseBody({ bodies }: BuiltFile, accepted: string | undefined): Body {
  const names = new Set(
    (accepted ?? '')
      .toLowerCase()
      .split(',')
      .map((part) => part.split(';').map((text) => text.trim()))
      .filter(([, weight]) => weight === undefined || !/^q=0(?:\.0*)?$/.test(weight))
      .map(([name]) => name),
  );
  return bodies.find(({ encoding }) => encoding === null || names.has(encoding)) as Body;
}
