import { execFile } from 'node:child_process';
import { mkdir } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

/** The policy compiler: one pinned version, taken from the cache, the PATH, or built from its Go module. */

export const opaVersion = '1.22.2';

const run = promisify(execFile);
const maxOutput = 64 * 1024 * 1024;

/** Folder for tools and rebuilt bundles, outside the source tree. */
export function cacheDir(): string {
  return join(process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache'), 'dataward');
}

/** Path of an opa of the pinned version; builds it with Go when there is none; undefined when there is no Go either. */
export async function findOpa(): Promise<string | undefined> {
  const bin = join(cacheDir(), 'bin');
  const cached = join(bin, 'opa');
  for (const candidate of [cached, 'opa']) if ((await versionOf(candidate)) === opaVersion) return candidate;
  if (!(await works('go', ['version']))) return undefined;
  await mkdir(bin, { recursive: true });
  console.error(`building opa ${opaVersion} into ${bin}; this takes a minute or two, once`);
  const env = { ...process.env, GOBIN: bin, CGO_ENABLED: '0', GOFLAGS: '-p=1 -trimpath' };
  await run('go', ['install', '-ldflags=-s -w', `github.com/open-policy-agent/opa@v${opaVersion}`], { env, maxBuffer: maxOutput });
  return cached;
}

/** Runs opa in the root of the repository and returns what it printed; throws with its own words when it fails. */
export async function runOpa(opa: string, args: readonly string[]): Promise<string> {
  try {
    return (await run(opa, args, { maxBuffer: maxOutput })).stdout;
  } catch (error) {
    const { stdout = '', stderr = '' } = error as { stdout?: string; stderr?: string };
    throw new Error(`opa ${args[0]} failed:\n${stdout}${stderr}`, { cause: error });
  }
}

async function versionOf(opa: string): Promise<string | undefined> {
  try {
    return /^Version: (\S+)/m.exec((await run(opa, ['version'])).stdout)?.[1];
  } catch {
    return undefined;
  }
}

async function works(command: string, args: readonly string[]): Promise<boolean> {
  try {
    await run(command, args);
    return true;
  } catch {
    return false;
  }
}
