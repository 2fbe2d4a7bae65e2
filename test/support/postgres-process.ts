import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { open, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { PostgresTemplate } from './postgres-binaries.ts';
import { endWithThisProcess } from './watchdog.ts';

export interface RunningServer {
  readonly process: ChildProcess;
  /** Resolves when the postmaster is gone and its watchdog is called off. */
  readonly exited: Promise<void>;
}

/** Starts a postmaster on the data in `folder`/data; it ends with this process, whatever happens. */
export async function launch(template: PostgresTemplate, folder: string, logPath: string, port: number): Promise<RunningServer> {
  const log = await open(logPath, 'a');
  const child = spawn(join(template.binaries, 'postgres'), ['-D', join(folder, 'data'), '-p', String(port)], {
    ...template.account,
    cwd: '/', // the account may not be able to enter ours
    stdio: ['ignore', log.fd, log.fd],
    env: { PATH: '/usr/bin:/bin', LC_ALL: 'C' },
  });
  // Listened for before anything is awaited: a server that refuses its configuration is gone within milliseconds, and
  // whoever asked for its end afterwards would wait for ever.
  const gone = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  await once(child, 'spawn');
  await log.close();
  const callOff = endWithThisProcess(child.pid as number, 'QUIT', folder);
  return { process: child, exited: gone.then(callOff) };
}

/** @throws with the end of the log when the server ends, or does not answer `probe` within 45 s */
export async function waitUntilReady(server: RunningServer, logPath: string, probe: () => Promise<unknown>): Promise<void> {
  const deadline = Date.now() + 45_000;
  for (;;) {
    const failure: unknown = await probe().then(
      () => undefined,
      (error: unknown) => error,
    );
    if (failure === undefined) return;
    if (server.process.exitCode !== null || server.process.signalCode !== null || Date.now() > deadline) {
      const log = (await readFile(logPath, 'utf8')).split('\n').slice(-12).join('\n');
      server.process.kill('SIGKILL');
      throw new Error(`The test PostgreSQL did not start (${String(failure)}):\n${log}`);
    }
    await delay(20);
  }
}

/** After `kill9` the backends notice within a moment that their postmaster died; until then its memory is in use. */
export async function startOnceOrphansAreGone(start: () => Promise<void>): Promise<void> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      await start();
      return;
    } catch (error) {
      if (attempt === 20 || !String(error).includes('pre-existing shared memory block')) throw error;
      await delay(100);
    }
  }
}
