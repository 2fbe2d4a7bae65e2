import { hostname } from 'node:os';
import { ROOT_NAMESPACE } from './api/kinds.ts';
import { LOG_LEVELS, type LogLevel } from './telemetry/logger.ts';

/** What the operator is told from outside, in one place and frozen: nothing else reads the environment. */
export interface OperatorConfig {
  /** Namespace of the operator; policies and holds declared there may reach others. */
  rootNamespace: string;
  /** Folder of the audit chain, certificates and signing key; survives the process. */
  evidenceDir: string;
  /** Address of /healthz, /readyz and /metrics. */
  listen: { host: string; port: number };
  /** The operator's own switch: everything is measured, nothing is destroyed. */
  frozen: boolean;
  /** Whether public entry points are asked, and whether one on the loopback is one at all: in a pod, that is the pod itself. */
  entryPoints: { ask: boolean; loopback: boolean };
  leaderElection: boolean;
  /** Names this process in the election and in the audit log. */
  identity: string;
  logLevel: LogLevel;
  kubeconfig?: string;
}

export interface OperatorFlags {
  namespace?: string;
  evidenceDir?: string;
  listen?: string;
  frozen?: boolean;
  probeEntryPoints?: boolean;
  leaderElection?: boolean;
  logLevel?: string;
  kubeconfig?: string;
}

/** A setting that makes no sense, or that cannot be met here. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError';
  /** Its words name flags and folders only, so that a log may show them. */
  readonly publicMessage = true;
}

/** Flags win over the environment, which wins over defaults. Throws `ConfigError` naming the flag that makes no sense. */
export function operatorConfig(flags: OperatorFlags, env: NodeJS.ProcessEnv): Readonly<OperatorConfig> {
  const level = flags.logLevel ?? env['DATAWARD_LOG_LEVEL'] ?? 'info';
  if (!(LOG_LEVELS as readonly string[]).includes(level)) throw new ConfigError(`--log-level ${level}: must be one of ${LOG_LEVELS.join(', ')}`);
  return Object.freeze({
    rootNamespace: flags.namespace ?? env['POD_NAMESPACE'] ?? ROOT_NAMESPACE,
    evidenceDir: flags.evidenceDir ?? env['DATAWARD_EVIDENCE_DIR'] ?? '/var/lib/dataward',
    listen: parseListen(flags.listen ?? env['DATAWARD_LISTEN'] ?? '0.0.0.0:8080', '--listen'),
    frozen: flags.frozen ?? env['DATAWARD_FROZEN'] === 'true',
    entryPoints: { ask: flags.probeEntryPoints !== false && env['DATAWARD_PROBE_ENTRY_POINTS'] !== 'false', loopback: env['KUBERNETES_SERVICE_HOST'] === undefined },
    leaderElection: flags.leaderElection ?? true,
    identity: env['POD_NAME'] ?? hostname(),
    logLevel: level as LogLevel,
    ...optional('kubeconfig', flags.kubeconfig),
  });
}

function optional<K extends string, V>(key: K, value: V | undefined): Partial<Record<K, V>> {
  return value === undefined ? {} : ({ [key]: value } as Record<K, V>);
}

/** `host:port`, with port 0 for any free one. */
export function parseListen(text: string, flag: string): { host: string; port: number } {
  const match = /^(.+):(\d{1,5})$/.exec(text);
  const port = Number(match?.[2]);
  if (!match?.[1] || port > 65_535) throw new ConfigError(`${flag} ${text}: write host:port, for example 127.0.0.1:8080`);
  return { host: match[1].replace(/^\[(.*)\]$/, '$1'), port };
}
