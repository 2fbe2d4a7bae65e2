import { readdir, readFile } from 'node:fs/promises';

/**
 * Stops a process and everything it started, as a host does that swaps or a hypervisor that migrates: connections stay
 * open and nobody answers. Resolves with the function that lets them go on.
 */
export async function hang(pid: number): Promise<() => void> {
  const pids = [pid, ...(await childrenOf(pid))];
  // The parent first, so that it starts no further ones.
  for (const each of pids) process.kill(each, 'SIGSTOP');
  return () => {
    for (const each of pids) {
      try {
        process.kill(each, 'SIGCONT');
      } catch {
        // It has ended meanwhile.
      }
    }
  };
}

async function childrenOf(pid: number): Promise<number[]> {
  const parents = await Promise.all((await readdir('/proc')).filter((name) => /^\d+$/.test(name)).map(async (name) => {
    const stat = await readFile(`/proc/${name}/stat`, 'utf8').catch(() => '');
    // The name of the program, in parentheses, may hold anything.
    return [Number(name), Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1])] as const;
  }));
  return parents.filter(([, parent]) => parent === pid).map(([child]) => child);
}
