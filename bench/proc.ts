// What the kernel knows of another process: the processor time it took, the most memory it held, its children.
// Linux only; elsewhere the figures are NaN and are left out of the table.
import { readdirSync, readFileSync } from 'node:fs';

/** Microseconds per clock tick of /proc/<pid>/stat: USER_HZ is 100 on every Linux that Node runs on. */
const tickUs = 10_000;

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

/** Bytes that a process has sent to the disk so far. */
export function readWrittenBytes(pid: number): number {
  const written = /^write_bytes: (\d+)/m.exec(readOrNull(`/proc/${pid}/io`) ?? '');
  return written === null ? Number.NaN : Number(written[1]);
}

/** Bytes that a process and its living children have sent to the disk so far. */
export function readFamilyWrittenBytes(pid: number): number {
  const children = childrenOf(pid).map(({ child }) => readWrittenBytes(child));
  return children.filter(Number.isFinite).reduce((sum, bytes) => sum + bytes, readWrittenBytes(pid));
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
