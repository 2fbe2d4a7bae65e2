import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { MAIN } from './build.ts';
import { freePort } from './ports.ts';
import { until } from './until.ts';
import { endWithThisProcess } from './watchdog.ts';

export interface CommandResult {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs one command of the compiled `dataward` to its end; a failing command is a result. */
export async function dataward(args: readonly string[]): Promise<CommandResult> {
  const child = spawn(process.execPath, [MAIN, ...args], { stdio: ['ignore', 'pipe', 'pipe'] });
  const output = { stdout: '', stderr: '' };
  child.stdout.setEncoding('utf8').on('data', (text: string) => (output.stdout += text));
  child.stderr.setEncoding('utf8').on('data', (text: string) => (output.stderr += text));
  const [code] = (await once(child, 'close')) as [number | null];
  return { code: code ?? -1, ...output };
}

/** A running operator, in a process of its own. */
export interface OperatorProcess {
  readonly pid: number;
  /** Folder of audit log, certificates, checkpoints and keys. */
  readonly evidence: string;
  /** Everything it has written so far. */
  log(): string;
  metrics(): Promise<string>;
  /** The code it ended with, null after a signal; undefined while it runs. */
  code(): number | null | undefined;
  /** Sends a signal and, unless it only stops or continues the process, waits for the end. */
  signal(name: 'SIGKILL' | 'SIGTERM' | 'SIGSTOP' | 'SIGCONT'): Promise<void>;
  /** Ends it and removes its files. Safe to call twice. */
  close(): Promise<void>;
}

/** `dataward operator` against an API server, as in a cluster. Resolves when it works, or waits for the lease. */
export async function startClusterOperator(kubeconfig: string, options: { evidence?: string; leaderElection?: boolean; standby?: boolean; frozen?: boolean; nodeFlags?: readonly string[] } = {}): Promise<OperatorProcess> {
  const folder = await mkdtemp(path.join(tmpdir(), 'dataward-operator-'));
  const evidence = options.evidence ?? path.join(folder, 'evidence');
  const listen = `127.0.0.1:${await freePort()}`;
  const election = options.leaderElection === false ? ['--no-leader-election'] : [];
  const frozen = options.frozen ? ['--frozen'] : [];
  const running = launch(['operator', '--kubeconfig', kubeconfig, '--evidence-dir', evidence, '--listen', listen, ...election, ...frozen], folder, { nodeFlags: options.nodeFlags ?? [] });
  await running.says(options.standby ? undefined : /the operator works/);
  return { ...running, evidence, metrics: async () => (await fetch(`http://${listen}/metrics`)).text() };
}

/**
 * `dataward operator` as it runs in a pod: told by the environment where the API server is, let in by the token and the
 * authority in `serviceAccount`, without any kubeconfig. Resolves when it works; at once when `works` is false.
 */
export async function startPodOperator(server: URL, serviceAccount: string, options: { evidence?: string; leaderElection?: boolean; works?: boolean } = {}): Promise<PodOperator> {
  const folder = await mkdtemp(path.join(tmpdir(), 'dataward-operator-'));
  const evidence = options.evidence ?? path.join(folder, 'evidence');
  const listen = `127.0.0.1:${await freePort()}`;
  const env = { PATH: process.env['PATH'], KUBERNETES_SERVICE_HOST: server.hostname, KUBERNETES_SERVICE_PORT: server.port, DATAWARD_SERVICE_ACCOUNT_DIR: serviceAccount };
  const election = options.leaderElection === false ? ['--no-leader-election'] : [];
  const running = launch(['operator', '--evidence-dir', evidence, '--listen', listen, ...election], folder, { env });
  await running.says(options.works === false ? undefined : /the operator works/);
  return { ...running, evidence, listen, metrics: async () => (await fetch(`http://${listen}/metrics`)).text() };
}

export interface PodOperator extends OperatorProcess {
  /** Where health and metrics answer. */
  readonly listen: string;
}

export interface LocalProcess extends OperatorProcess {
  /** Path of the kubeconfig of one of the people. */
  kubeconfig(person: string): string;
}

/** `dataward local`: API server and operator in one process. Resolves when the manifests are applied. */
export async function startLocal(manifests: string, people: readonly [string, ...string[]], options: { state?: string } = {}): Promise<LocalProcess> {
  const folder = await mkdtemp(path.join(tmpdir(), 'dataward-local-'));
  const state = options.state ?? path.join(folder, 'state');
  const running = launch(['local', '-f', manifests, '--state', state, ...people.flatMap((name) => ['--person', name])], folder);
  await running.says(/objects of .* applied/);
  return {
    ...running,
    evidence: path.join(state, 'evidence'),
    kubeconfig: (person) => path.join(state, person === people[0] ? 'kubeconfig' : `kubeconfig-${person}`),
    metrics: async () => (await fetch(/metrics: (\S+)/.exec(running.log())?.[1] ?? '')).text(),
  };
}

interface Launched extends Omit<OperatorProcess, 'evidence' | 'metrics'> {
  /** Resolves when the pattern stands in the log, at once without one. @throws with the log when the process ends first */
  says(pattern: RegExp | undefined): Promise<void>;
}

/** Optimising code that runs for some seconds takes a quarter of what a start costs, and suites start it dozens of times. */
const SHORT_LIVED = ['--no-opt'];

function launch(args: readonly string[], folder: string, how: { env?: NodeJS.ProcessEnv; nodeFlags?: readonly string[] } = {}): Launched {
  const child = spawn(process.execPath, [...SHORT_LIVED, ...(how.nodeFlags ?? []), MAIN, ...args], { stdio: ['ignore', 'pipe', 'pipe'], ...(how.env ? { env: how.env } : {}) });
  const pid = child.pid as number;
  const callOff = endWithThisProcess(pid, 'KILL', folder);
  let log = '';
  let code: number | null | undefined;
  for (const stream of [child.stdout, child.stderr]) stream.setEncoding('utf8').on('data', (text: string) => (log += text));
  const ended = once(child, 'close').then((results) => {
    code = (results as [number | null])[0];
    callOff();
  });
  const signal: Launched['signal'] = async (name) => {
    if (code !== undefined) return;
    child.kill(name);
    if (name === 'SIGKILL' || name === 'SIGTERM') await ended;
  };
  return {
    pid,
    log: () => log,
    code: () => code,
    signal,
    async says(pattern) {
      if (pattern === undefined) return;
      await until(`the log says ${pattern.source}`, async () => {
        if (code !== undefined) throw new Error(`dataward ${args[0]} ended with ${code}:\n${log}`);
        return pattern.test(log);
      });
    },
    async close() {
      await signal('SIGKILL');
      await rm(folder, { recursive: true, force: true });
    },
  };
}
