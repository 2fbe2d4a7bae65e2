import { readdir, readFile } from 'node:fs/promises';

/**
 * Stops a process and everything it started, as a host does that swaps or a hypervisor that migrates: connections stay
 * open and nobody answers. Resolves with the function that lets them go on.
 */
export async function hang(pid: number): Promise<() => void> {
  const stopped = [pid];
  const wake = (): void => stopped.forEach((each) => send(each, 'SIGCONT'));
  // The parent first, so that it starts no further ones; a parent left asleep by a failure could not be ended either.
  process.kill(pid, 'SIGSTOP');
  try {
    stopped.push(...(await childrenOf(pid)));
    for (const each of stopped) send(each, 'SIGSTOP');
  } catch (error) {
    wake();
    throw error;
  }
  return wake;
}

/** A child may have ended since it was listed. */
function send(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}

async function childrenOf(pid: number): Promise<number[]> {
  const parents = await Promise.all((await readdir('/proc')).filter((name) => /^\d+$/.test(name)).map(async (name) => {
    const stat = await readFile(`/proc/${name}/stat`, 'utf8').catch(() => '');
    // The name of the program, in parentheses, may hold anything.
    return [Number(name), Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1])] as const;
  }));
  return parents.filter(([, parent]) => parent === pid).map(([child]) => child);
}
