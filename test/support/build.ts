import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, readdir, rmdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../../', import.meta.url));

/** What users start. Tests of whole processes start the very same file. */
export const MAIN = join(root, 'dist', 'main.js');

/**
 * Compiles src when dist is older, so that no test of a process tells about yesterday's code. Test files run at the
 * same time: one of them compiles, the others wait.
 *
 * @throws with the compiler's words when there is nothing to start
 */
export async function ensureBuilt(): Promise<void> {
  const lock = join(root, 'node_modules', '.dataward-build');
  for (let waited = 0; !(await isFresh()); waited += 100) {
    if (waited > 120_000) throw new Error(`dist is older than src, and ${lock} says that somebody compiles it. Remove it if nobody does, then run make build.`);
    if (await take(lock)) {
      try {
        if (!(await isFresh())) await compile();
        return;
      } finally {
        await rmdir(lock);
      }
    }
    await delay(100);
  }
}

async function compile(): Promise<void> {
  const child = spawn(process.execPath, [join(root, 'node_modules', 'typescript', 'bin', 'tsc'), '-p', 'tsconfig.build.json'], { cwd: root, stdio: ['ignore', 'pipe', 'pipe'] });
  const said: string[] = [];
  child.stdout.setEncoding('utf8').on('data', (text: string) => said.push(text));
  child.stderr.setEncoding('utf8').on('data', (text: string) => said.push(text));
  const [code] = (await once(child, 'close')) as [number | null];
  if (code !== 0) throw new Error(`src does not compile; run make build:\n${said.join('')}`);
}

/** Every file of src has a younger one in dist; one that was only removed does not matter. */
async function isFresh(): Promise<boolean> {
  const built = await stat(MAIN).catch(() => undefined);
  if (built === undefined) return false;
  const names = (await readdir(join(root, 'src'), { recursive: true })).filter((name) => name.endsWith('.ts'));
  const files = await Promise.all(names.map((name) => stat(join(root, 'src', name))));
  return files.every((file) => file.mtimeMs <= built.mtimeMs);
}

async function take(lock: string): Promise<boolean> {
  try {
    await mkdir(lock);
    return true;
  } catch {
    return false;
  }
}
