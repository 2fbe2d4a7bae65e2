import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { goBuild, hasGo, leaveOut, pinnedVersion, withLock } from './go-build.ts';

/**
 * The linter behind `promtool check metrics`, built once (half a minute) and kept in the user's cache folder.
 *
 * @returns what it says of an exposition, one line for each fault; undefined where it cannot be built
 */
export async function promlint(environment: NodeJS.ProcessEnv = process.env): Promise<((exposition: string) => string[]) | undefined> {
  const folder = join(environment['XDG_CACHE_HOME'] ?? join(homedir(), '.cache'), 'dataward', 'promlint', await pinnedVersion('github.com/prometheus/client_golang'));
  const program = join(folder, 'promlint');
  if (!existsSync(program)) {
    if (!(await hasGo(environment))) return leaveOut('what promtool says of the metrics. Install Go (https://go.dev/dl).', environment);
    await withLock(folder, async () => {
      if (!existsSync(program)) await goBuild('./promlint', program, environment);
    });
  }
  return (exposition) => {
    const { status, stdout, stderr } = spawnSync(program, { input: exposition, encoding: 'utf8' });
    if (status !== 0 && status !== 1) throw new Error(`promlint: ${stderr}`);
    return stdout.split('\n').filter((line) => line !== '');
  };
}
