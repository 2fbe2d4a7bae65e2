import { readFileSync } from 'node:fs';

/**
 * When a process of this machine began, in clock ticks since boot; undefined when there is no such process, `unknown`
 * where the system has no /proc. An id alone names nobody: after a crash or in a container it is used again.
 */
export function startOf(pid: number): string | undefined {
  try {
    const fields = readFileSync(`/proc/${pid}/stat`, 'latin1');
    // The command name, in parentheses, may hold spaces; the 22nd field is the 20th after it.
    return fields.slice(fields.lastIndexOf(')') + 2).split(' ')[19];
  } catch {
    return isAlive(pid) ? 'unknown' : undefined;
  }
}

/** Whether there is a process of that id, a stranger's included. */
export function isAlive(pid: number): boolean {
  // 0 and below mean groups of processes, which always exist.
  if (!Number.isInteger(pid) || pid <= 0) return false;
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}
