import { closeSync, openSync, readFileSync, rmSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { startOf } from '../evidence/processes.ts';

function holder(path: string): number | undefined {
  const [pidText = '', started = ''] = readFileSync(path, 'utf8').trim().split(' ');
  const pid = Number(pidText);
  return started !== '' && startOf(pid) === started ? pid : undefined;
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
      writeSync(handle, `${process.pid} ${startOf(process.pid) ?? 'unknown'}\n`);
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
