import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { open, readFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { endWithThisProcess } from './watchdog.ts';

/** One running program. */
export interface Part {
  readonly process: ChildProcess;
  readonly log: string;
  end(): Promise<void>;
}

/** Starts a program that logs into the folder, and ends with this process whatever happens. */
export async function launch(folder: string, binary: string, args: readonly string[]): Promise<Part> {
  const log = join(folder, `${basename(binary)}.log`);
  const handle = await open(log, 'a');
  const child = spawn(binary, args, { cwd: folder, stdio: ['ignore', handle.fd, handle.fd] });
  // Before anything is awaited: a part that refuses its flags is gone at once, and its end would be waited for in vain.
  const gone = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  await once(child, 'spawn');
  await handle.close();
  const callOff = endWithThisProcess(child.pid as number, 'KILL', folder);
  const exited = gone.then(callOff);
  return {
    process: child,
    log,
    end: async () => {
      child.kill('SIGKILL');
      await exited;
    },
  };
}

/** @throws with the end of the log when the part ends, or is not ready within a minute */
export async function waitFor(part: Part, ready: () => Promise<boolean>): Promise<void> {
  const deadline = Date.now() + 60_000;
  while (!(await ready().catch(() => false))) {
    if (part.process.exitCode !== null || part.process.signalCode !== null || Date.now() > deadline) {
      await part.end();
      const tail = (await readFile(part.log, 'utf8')).split('\n').slice(-20).join('\n');
      throw new Error(`A part of the test control plane did not come up:\n${tail}`);
    }
    await delay(50);
  }
}

/** @param folder where the files are that startControlPlane wrote */
export function etcdArguments(folder: string, clientUrl: string, peerPort: number): string[] {
  const peerUrl = `http://127.0.0.1:${peerPort}`;
  return [
    `--data-dir=${join(folder, 'etcd-data')}`,
    `--listen-client-urls=${clientUrl}`,
    `--advertise-client-urls=${clientUrl}`,
    `--listen-peer-urls=${peerUrl}`,
    `--initial-advertise-peer-urls=${peerUrl}`,
    `--initial-cluster=default=${peerUrl}`,
    '--unsafe-no-fsync',
    '--log-level=warn',
  ];
}

export function apiServerArguments(folder: string, port: number, etcdUrl: string): string[] {
  return [
    `--etcd-servers=${etcdUrl}`,
    '--bind-address=127.0.0.1',
    '--advertise-address=127.0.0.1',
    `--secure-port=${port}`,
    `--cert-dir=${join(folder, 'certificates')}`,
    `--tls-cert-file=${join(folder, 'server.crt')}`,
    `--tls-private-key-file=${join(folder, 'server.key')}`,
    '--service-account-issuer=https://kubernetes.default.svc',
    `--service-account-key-file=${join(folder, 'accounts.pub')}`,
    `--service-account-signing-key-file=${join(folder, 'accounts.key')}`,
    '--authorization-mode=RBAC',
    `--token-auth-file=${join(folder, 'tokens.csv')}`,
    '--service-cluster-ip-range=10.0.0.0/24',
    '--endpoint-reconciler-type=none', // there is no node that could serve the endpoint
    `--audit-policy-file=${join(folder, 'audit.json')}`,
    `--audit-log-path=${join(folder, 'audit.log')}`,
    '--profiling=false',
  ];
}

export function controllerManagerArguments(folder: string, kubeconfig: string): string[] {
  return [
    `--kubeconfig=${kubeconfig}`,
    '--secure-port=0', // nothing asks it for health or metrics
    '--leader-elect=false',
    `--root-ca-file=${join(folder, 'ca.crt')}`,
    `--service-account-private-key-file=${join(folder, 'accounts.key')}`,
  ];
}
