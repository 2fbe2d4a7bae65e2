import type { Access, Client } from '../runtime/client.ts';
import type { Clock } from '../runtime/clock.ts';
import type { StoreDriver, StoreEngine } from '../stores/port.ts';

/** Exit codes every command keeps to. */
export const EXIT = {
  fine: 0,
  /** Findings, or changes that are pending. */
  findings: 1,
  /** Usage or input. */
  input: 2,
  /** Cluster or store not reachable. */
  unreachable: 3,
} as const;
export type ExitCode = (typeof EXIT)[keyof typeof EXIT];

export const OUTPUTS = ['table', 'json', 'yaml'] as const;
export type Output = (typeof OUTPUTS)[number];

/** What commands work with; everything outside the process comes in here. */
export interface CliContext {
  stdout: NodeJS.WritableStream;
  stderr: NodeJS.WritableStream;
  /** Whether stdout is a terminal that shows colours. */
  colour: boolean;
  env: NodeJS.ProcessEnv;
  clock: Clock;
  version: string;
  commit: string;
  /** Folders of the package: `crds`, `policies/bundle`. */
  paths: { crds: string; bundle: string };
  drivers: Record<StoreEngine, StoreDriver>;
  /** Finds the cluster as kubectl does; rejects with `CliError` when there is none. */
  cluster: (wanted: { kubeconfig?: string; context?: string }) => Promise<Cluster>;
  client: (access: Access) => Client;
  /** Aborts on SIGINT and SIGTERM. */
  signal: AbortSignal;
}

/** A failure in words for the person at the keyboard, with the exit code it earns. */
export class CliError extends Error {
  override readonly name = 'CliError';
  readonly exitCode: ExitCode;

  constructor(message: string, exitCode: ExitCode = EXIT.input, options?: ErrorOptions) {
    super(message, options);
    this.exitCode = exitCode;
  }
}

/** Flags that commands talking to a cluster share. */
export interface ClusterFlags {
  kubeconfig?: string;
  context?: string;
  namespace?: string;
  output: Output;
}

/** A way into a cluster. */
export interface Cluster {
  access: Access;
  /** Address of its API server. */
  server: string;
  /** What named it, for messages: `context here of ~/.kube/config`. */
  from: string;
  /** Of the kubeconfig's context, or of the pod. */
  namespace?: string;
}

/** A client for the cluster the flags name, and the namespace given, or that of the kubeconfig's context. */
export async function connect(context: CliContext, flags: ClusterFlags): Promise<{ client: Client; namespace: string }> {
  const { access, namespace } = await context.cluster({ ...(flags.kubeconfig ? { kubeconfig: flags.kubeconfig } : {}), ...(flags.context ? { context: flags.context } : {}) });
  return { client: context.client(access), namespace: flags.namespace ?? namespace ?? 'default' };
}

/** Splits `purgerun/NAME`. Throws `CliError` when it names another kind. */
export function parseReference(text: string, kind: string): string {
  const [given, name, ...rest] = text.split('/');
  if (given?.toLowerCase() !== kind || !name || rest.length > 0) throw new CliError(`${text}: write ${kind}/NAME`);
  return name;
}
