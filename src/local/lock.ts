import { closeSync, openSync, readFileSync, rmSync, writeSync } from 'node:fs';
import { join } from 'node:path';

/** When the process began, so that a reused pid after a crash or reboot is not taken for the holder. */
function startedAt(pid: number): string {
  try {
    // Field 22 of Linux's /proc/<pid>/stat, counted after the command in parentheses (which may hold spaces).
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19] ?? '';
  } catch {
    return '';
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

function holder(path: string): number | undefined {
  const [pidText = '', started = ''] = readFileSync(path, 'utf8').trim().split(' ');
  const pid = Number(pidText);
  return Number.isInteger(pid) && pid > 0 && isAlive(pid) && startedAt(pid) === started ? pid : undefined;
}

/**
 * Takes the state folder for this process; two servers writing the same files would lose each other's writes.
 * Returns the function that gives it back. A holder that died is replaced. Throws when a living process holds it.
 */
export function lockStateDirectory(folder: string): () => void {
  const path = join(folder, 'lock');
  for (let attempt = 0; attempt < 2; attempt += 1) {
    try {
      const handle = openSync(path, 'wx', 0o600);
      writeSync(handle, `${process.pid} ${startedAt(process.pid)}\n`);
      closeSync(handle);
      return () => rmSync(path, { force: true });
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
      const pid = holder(path);
      if (pid !== undefined) {
        throw new Error(`${folder} is in use by process ${pid}; stop it, or choose another state folder`, { cause: error });
      }
      rmSync(path, { force: true });
    }
  }
  throw new Error(`${folder}: another process took the state folder at the same moment; try again`);
}
