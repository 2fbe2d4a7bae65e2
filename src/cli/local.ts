import { randomBytes } from 'node:crypto';
import { mkdir, mkdtemp, readFile, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { NAMESPACE, ROOT_NAMESPACE } from '../api/kinds.ts';
import type { KubeObject } from '../api/object.ts';
import { loadApi } from '../api/validation/load.ts';
import { parseListen, type OperatorConfig } from '../config.ts';
import { startLocalServer, type LocalServer } from '../local/server.ts';
import { OPERATOR_USER_NAME, operatorUser, PERSON_USER_NAME, personUser, type LocalUser } from '../local/users.ts';
import { watchDirectory, type ApplyResult, type DirectorySource } from '../local/directory.ts';
import { createEngine } from '../policy/engine.ts';
import { startOperator, type Operator } from '../operator/operator.ts';
import { isAlreadyExists, type Client } from '../runtime/client.ts';
import { sleep } from '../runtime/clock.ts';
import { createLogger, type LogLevel } from '../telemetry/logger.ts';
import { CliError, EXIT, type CliContext, type ExitCode } from './context.ts';
import { DECLARABLE } from './kinds.ts';
import { note } from './output.ts';

export interface LocalFlags {
  filename: string;
  state?: string;
  listen: string;
  metricsListen: string;
  kubeconfig?: string;
  untilIdle?: boolean;
  frozen?: boolean;
  probeEntryPoints?: boolean;
  person: string[];
  logLevel: string;
}

/**
 * `local -f DIR`: the operator's own controllers against a small Kubernetes API on loopback. Files in DIR are
 * applied, and applied again when they change; kubectl works with the kubeconfig that is written.
 */
export async function local(context: CliContext, flags: LocalFlags): Promise<ExitCode> {
  await requireFolder(flags.filename);
  const people = flags.person.length > 0 ? flags.person : [PERSON_USER_NAME];
  people.forEach(requirePlainName);
  const home = flags.state ?? (await mkdtemp(path.join(tmpdir(), 'dataward-')));
  await mkdir(home, { recursive: true, mode: 0o700 });
  const users = await usersOf(home, people);
  const api = loadApi(context.paths.crds);
  const server = await startLocalServer({ ...api, listen: parseListen(flags.listen, '--listen'), stateDir: path.join(home, 'objects'), users, clock: context.clock }).catch(asInput);
  try {
    if (flags.state === undefined) note(context, `state: ${home}; it stays when this ends, --state names a place of your own`);
    await writeKubeconfigs(context, server, home, people, flags.kubeconfig);
    return await runOperator(context, server, home, flags);
  } finally {
    await server.close();
  }
}

async function runOperator(context: CliContext, server: LocalServer, home: string, flags: LocalFlags): Promise<ExitCode> {
  const logger = createLogger({ level: flags.logLevel as LogLevel, stream: context.stderr });
  const access = server.access(OPERATOR_USER_NAME);
  const config: OperatorConfig = {
    rootNamespace: ROOT_NAMESPACE,
    evidenceDir: path.join(home, 'evidence'),
    listen: parseListen(flags.metricsListen, '--metrics-listen'),
    frozen: flags.frozen ?? false,
    entryPoints: { ask: flags.probeEntryPoints ?? true, loopback: true },
    leaderElection: false,
    identity: 'local',
    logLevel: flags.logLevel as LogLevel,
  };
  const engine = await createEngine({ bundleDir: context.paths.bundle });
  let operator: Operator | undefined;
  let source: DirectorySource | undefined;
  try {
    await ensureRootNamespace(context.client(access));
    operator = await startOperator({ config, access, drivers: context.drivers, engine, clock: context.clock, logger, version: context.version, commit: context.commit });
    note(context, `metrics: http://${operator.health.host}:${operator.health.port}/metrics`);
    const person = server.access(flags.person[0] ?? PERSON_USER_NAME);
    source = watchDirectory({ dir: flags.filename, client: context.client(person), kinds: DECLARABLE, onResult: (result) => report(context, result) });
    const first = await source.firstPass;
    note(context, `${first.filter((result) => result.outcome !== 'refused').length} of ${first.length} objects of ${flags.filename} applied; watching it`);
    // An operator that could not begin or ended by itself is a failure of this command, idle or not.
    await Promise.race([flags.untilIdle ? idle(context, operator) : aborted(context.signal), operator.ended]);
    return first.some((result) => result.outcome === 'refused') ? EXIT.findings : EXIT.fine;
  } finally {
    await source?.close();
    await operator?.stop();
    await engine.close();
  }
}

async function requireFolder(dir: string): Promise<void> {
  const info = await stat(dir).catch(() => undefined);
  if (!info) throw new CliError(`-f ${dir}: there is no such folder`);
  if (!info.isDirectory()) throw new CliError(`-f ${dir}: is not a folder; \`local\` watches a folder of declarations`);
}

/** The name becomes part of a file name, and of approvals that others read. */
function requirePlainName(name: string): void {
  if (!/^[A-Za-z0-9][A-Za-z0-9._@-]{0,62}$/.test(name)) throw new CliError(`--person ${name}: write a name of letters, digits, dots, dashes and @`);
}

/** What the server says about its address or folder is for whoever gave them; the system's own errors are told apart later. */
function asInput(error: unknown): never {
  if (error instanceof Error && !('code' in error)) throw new CliError(error.message, EXIT.input, { cause: error });
  throw error;
}

/** The namespace everything else hangs on is there before the controllers ask for it. */
async function ensureRootNamespace(client: Client): Promise<void> {
  try {
    await client.create<KubeObject>(NAMESPACE, { apiVersion: 'v1', kind: 'Namespace', metadata: { name: ROOT_NAMESPACE } });
  } catch (error) {
    if (!isAlreadyExists(error)) throw error;
  } finally {
    client.close();
  }
}

function report(context: CliContext, result: ApplyResult): void {
  if (result.outcome === 'unchanged') return;
  note(context, `${result.file}:${result.line}: ${result.object ?? 'file'} ${result.outcome}${result.message ? `: ${result.message}` : ''}`);
}

/** Nothing waiting for two seconds in a row: what could be done without people and time is done. */
async function idle(context: CliContext, operator: Operator): Promise<void> {
  for (let quiet = 0; quiet < 20 && !context.signal.aborted; ) {
    await sleep(context.clock, 100, context.signal);
    quiet = operator.pending() === 0 ? quiet + 1 : 0;
  }
}

/** Tokens outlive a restart with --state, so that a kubeconfig handed out stays good. */
async function usersOf(home: string, people: readonly string[]): Promise<LocalUser[]> {
  const file = path.join(home, 'tokens.json');
  const known = JSON.parse(await readFile(file, 'utf8').catch(() => '{}')) as Record<string, string>;
  const token = (name: string): string => (known[name] ??= randomBytes(24).toString('base64url'));
  const users = [operatorUser(token(OPERATOR_USER_NAME)), ...people.map((name) => personUser(token(name), name))];
  await writeFile(file, JSON.stringify(known), { mode: 0o600 });
  return users;
}

async function writeKubeconfigs(context: CliContext, server: LocalServer, home: string, people: readonly string[], wanted: string | undefined): Promise<void> {
  for (const [index, name] of people.entries()) {
    const file = index === 0 && wanted ? wanted : path.join(home, index === 0 ? 'kubeconfig' : `kubeconfig-${name}`);
    await writeFile(file, server.kubeconfig(name), { mode: 0o600 }).catch((error: unknown) => {
      throw new CliError(`--kubeconfig ${file}: cannot be written`, EXIT.input, { cause: error });
    });
    note(context, `kubeconfig of ${name}: ${file}`);
  }
  note(context, `API server: ${server.url}`);
}

function aborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  return new Promise((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
}
