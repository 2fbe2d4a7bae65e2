import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const MAIN = fileURLToPath(new URL('../../dist/main.js', import.meta.url));

export interface CommandResult {
  code: number;
  stdout: string;
  stderr: string;
}

/** Runs `dataward` as a user would and waits for it. */
export async function dataward(args: readonly string[], env: NodeJS.ProcessEnv = {}): Promise<CommandResult> {
  const child = spawn(process.execPath, [MAIN, ...args], { env: { ...process.env, ...env }, stdio: ['ignore', 'pipe', 'pipe'] });
  const out: Buffer[] = [];
  const err: Buffer[] = [];
  child.stdout.on('data', (chunk: Buffer) => out.push(chunk));
  child.stderr.on('data', (chunk: Buffer) => err.push(chunk));
  const [code] = (await once(child, 'close')) as [number | null];
  const result = { code: code ?? -1, stdout: Buffer.concat(out).toString(), stderr: Buffer.concat(err).toString() };
  // 2 and 3 are never part of the story: whoever watches must see what the command said.
  if (result.code !== 0 && result.code !== 1) throw new Error(`dataward ${args.join(' ')} ended with ${result.code}: ${result.stderr}`);
  return result;
}

export interface RunningOperator {
  state: string;
  /** kubeconfig by person. */
  kubeconfig: (person: string) => string;
  metricsUrl: string;
  process: ChildProcess;
  /** What it wrote to stderr so far. */
  log: () => string;
  stop: () => Promise<void>;
}

/** Starts `dataward local` on a folder of manifests and waits until it has applied them. */
export async function startLocal(manifests: string, people: readonly [string, ...string[]]): Promise<RunningOperator> {
  const state = await mkdtemp(path.join(tmpdir(), 'dataward-demo-'));
  const child = spawn(process.execPath, [MAIN, 'local', '-f', manifests, '--state', state, ...people.flatMap((name) => ['--person', name])], { stdio: ['ignore', 'ignore', 'pipe'] });
  const lines: string[] = [];
  child.stderr.on('data', (chunk: Buffer) => lines.push(chunk.toString()));
  const log = (): string => lines.join('');
  await until('the operator has applied the manifests', 30_000, async () => {
    if (child.exitCode !== null) throw new Error(`dataward local ended with ${child.exitCode}:\n${log()}`);
    return /objects of .* applied/.test(log());
  });
  return {
    state,
    kubeconfig: (person) => path.join(state, person === people[0] ? 'kubeconfig' : `kubeconfig-${person}`),
    metricsUrl: /metrics: (\S+)/.exec(log())?.[1] ?? '',
    process: child,
    log,
    async stop() {
      if (child.exitCode === null) {
        const closed = once(child, 'close');
        child.kill('SIGTERM');
        await closed;
      }
      await rm(state, { recursive: true, force: true });
    },
  };
}

/** Waits for a condition; throws after `timeoutMs` naming what was waited for. */
export async function until(what: string, timeoutMs: number, holds: () => Promise<boolean>, everyMs = 100): Promise<void> {
  const end = Date.now() + timeoutMs;
  while (!(await holds())) {
    if (Date.now() > end) throw new Error(`waited ${timeoutMs / 1000} s in vain until ${what}`);
    await new Promise((resolve) => setTimeout(resolve, everyMs));
  }
}
