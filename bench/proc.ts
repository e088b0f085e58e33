// What the kernel knows of another process: the processor time it took, the most memory it held, its children; and of a disk.
// Linux only; elsewhere the figures are NaN and are left out of the table.
import { readdirSync, readFileSync, statSync } from 'node:fs';

/** Microseconds per clock tick of /proc/<pid>/stat: USER_HZ is 100 on every Linux that Node runs on. */
const tickUs = 10_000;

/** Of a disk's figures, whatever its own are. */
const sectorBytes = 512;

/** Processor time of all threads of a process so far, user and system, in microseconds. */
export function readCpuUs(pid: number): number {
  const fields = readStat(pid);
  return fields === null ? Number.NaN : (Number(fields[11]) + Number(fields[12])) * tickUs;
}

/** Processor time of a process and all that it ever started, those that are gone included, in microseconds. */
export function readFamilyCpuUs(pid: number): number {
  const own = readStat(pid);
  if (own === null) return Number.NaN;
  // User and system time, then the same of children that have ended.
  const ticks = (fields: string[]) => [11, 12, 13, 14].reduce((sum, at) => sum + Number(fields[at]), 0);
  return childrenOf(pid).reduce((sum, { fields }) => sum + ticks(fields), ticks(own)) * tickUs;
}

/**
 * Bytes that the disk under `path` has been given so far, by whomever. The kernel counts for each process as well
 * (/proc/<pid>/io), but by the pages of its cache, which are 2 MiB large where it has its way: 8 KiB written and synced
 * count for 2 MiB there, and for 8 KiB here.
 */
export function readDiskWrittenBytes(path: string): number {
  const { dev } = statSync(path);
  const major = (dev >> 8) & 0xfff;
  const minor = (dev & 0xff) | ((dev >> 12) & 0xf_ff00);
  const sectors = readOrNull(`/sys/dev/block/${major}:${minor}/stat`)?.trim().split(/\s+/)[6];
  return sectors === undefined ? Number.NaN : Number(sectors) * sectorBytes;
}

/** The living children of a process, with the fields of their stat. */
function childrenOf(pid: number): { child: number; fields: string[] }[] {
  return readdirSync('/proc').flatMap((name) => {
    const child = Number(name);
    const fields = Number.isInteger(child) ? readStat(child) : null;
    return fields !== null && Number(fields[1]) === pid ? [{ child, fields }] : [];
  });
}

/** The most resident memory the process ever had, in MiB. */
export function readPeakRssMb(pid: number): number {
  const peak = /VmHWM:\s+(\d+) kB/.exec(readOrNull(`/proc/${pid}/status`) ?? '');
  return peak === null ? Number.NaN : Number(peak[1]) / 1024;
}

/** The last of the line of descent that begins at `pid`: behind `npm start` that is the server itself. */
export function findYoungestDescendant(pid: number): number {
  const parents = new Map<number, number>();
  for (const name of process.platform === 'linux' ? readdirSync('/proc') : []) {
    const child = Number(name);
    const fields = Number.isInteger(child) ? readStat(child) : null;
    if (fields !== null) parents.set(Number(fields[1]), child);
  }
  let youngest = pid;
  for (let child = parents.get(pid); child !== undefined; child = parents.get(child)) youngest = child;
  return youngest;
}

/** The fields of /proc/<pid>/stat that follow the name: state, parent, … (the name may hold spaces). */
function readStat(pid: number): string[] | null {
  const stat = readOrNull(`/proc/${pid}/stat`);
  return stat === null ? null : stat.slice(stat.lastIndexOf(')') + 2).split(' ');
}

/** The file's text; null when the process is gone meanwhile, or where there is no /proc. */
function readOrNull(path: string): string | null {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return null;
  }
}
