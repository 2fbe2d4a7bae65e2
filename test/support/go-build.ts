import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { isAlive } from '../../src/evidence/processes.ts';

/** Programs of others the tests need, built from the Go modules pinned in test/tools. */
const goModule = fileURLToPath(new URL('../tools/', import.meta.url));

/**
 * What is left out for want of a program.
 *
 * @returns undefined, after one loud line
 * @throws when CI=true, so that a pipeline cannot pass without it
 */
export function leaveOut(what: string, environment: NodeJS.ProcessEnv): undefined {
  const message = `LEFT OUT: ${what}`;
  if (environment['CI'] === 'true') throw new Error(message);
  process.stderr.write(`\n*** ${message} ***\n\n`);
  return undefined;
}

/** Version of a module in test/tools/go.mod. */
export async function pinnedVersion(module: string): Promise<string> {
  const goMod = await readFile(join(goModule, 'go.mod'), 'utf8');
  const line = goMod.split('\n').find((candidate) => candidate.trim().startsWith(`${module} v`));
  const version = line?.trim().split(' ')[1];
  if (version === undefined) throw new Error(`test/tools/go.mod does not require ${module}.`);
  return version;
}

/** Whether there is a Go compiler. */
export async function hasGo(environment: NodeJS.ProcessEnv): Promise<boolean> {
  const child = spawn('go', ['version'], { stdio: 'ignore', env: environment });
  const code: unknown = await once(child, 'exit').then(
    ([status]) => status as unknown,
    () => undefined, // not on the PATH
  );
  return code === 0;
}

/** Builds a command of test/tools, or of a module it pins; `file` is there whole or not at all. */
export async function goBuild(what: string, file: string, environment: NodeJS.ProcessEnv, flags: readonly string[] = ['-ldflags', '-s -w']): Promise<void> {
  const draft = `${file}.${process.pid}`;
  const child = spawn('go', ['build', '-trimpath', '-buildvcs=false', ...flags, '-o', draft, what], { cwd: goModule, env: environment, stdio: ['ignore', 'inherit', 'inherit'] });
  const [code] = (await once(child, 'exit')) as [number | null];
  if (code !== 0) throw new Error(`go build ${what} failed with code ${code}; its messages stand above.`);
  await rename(draft, file);
}

/** One build at a time per machine: two would take the memory and the minutes twice. */
export async function withLock(folder: string, body: () => Promise<void>): Promise<void> {
  await mkdir(folder, { recursive: true });
  const lock = join(folder, '.building');
  while (!(await claim(lock))) await delay(1000);
  try {
    await body();
  } finally {
    await rm(lock, { force: true });
  }
}

async function claim(lock: string): Promise<boolean> {
  try {
    await writeFile(lock, String(process.pid), { flag: 'wx' });
    return true;
  } catch {
    const owner = Number(await readFile(lock, 'utf8').catch(() => ''));
    if (owner > 0 && !isAlive(owner)) await rm(lock, { force: true }); // left by a build that was killed
    return false;
  }
}
