import type { KubeConfig } from '@kubernetes/client-node';
import type { Client } from '../runtime/client.ts';
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
  /** Loads a kubeconfig as kubectl does; throws `CliError` when there is none. */
  kubeConfig: (options: { kubeconfig?: string; context?: string }) => KubeConfig;
  client: (config: KubeConfig) => Client;
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

export interface Cluster {
  client: Client;
  /** The namespace given, or that of the kubeconfig's context. */
  namespace: string;
}

export function connect(context: CliContext, flags: ClusterFlags): Cluster {
  const config = context.kubeConfig({ ...(flags.kubeconfig ? { kubeconfig: flags.kubeconfig } : {}), ...(flags.context ? { context: flags.context } : {}) });
  const current = config.getContextObject(config.getCurrentContext());
  return { client: context.client(config), namespace: flags.namespace ?? current?.namespace ?? 'default' };
}

/** Splits `purgerun/NAME`. Throws `CliError` when it names another kind. */
export function parseReference(text: string, kind: string): string {
  const [given, name, ...rest] = text.split('/');
  if (given?.toLowerCase() !== kind || !name || rest.length > 0) throw new CliError(`${text}: write ${kind}/NAME`);
  return name;
}
