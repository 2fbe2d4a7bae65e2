import { Writable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { findCluster } from '../../src/cli/cluster.ts';
import type { CliContext } from '../../src/cli/context.ts';
import { runCommand } from '../../src/cli/run.ts';
import { createClient } from '../../src/runtime/client.ts';
import { systemClock } from '../../src/runtime/clock.ts';
import { createPostgresDriver } from '../../src/stores/postgres/driver.ts';

const root = fileURLToPath(new URL('../../', import.meta.url));

export interface CommandResult {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/**
 * Runs one command in this process, with the parts that main.ts gives it: the real files, API server and stores. A
 * command costs milliseconds this way; that main.ts itself works is for tests of whole processes to show.
 */
export async function runCli(args: readonly string[], overrides: Partial<CliContext> = {}): Promise<CommandResult> {
  const stdout = new Collector();
  const stderr = new Collector();
  const code = await runCommand(
    {
      stdout,
      stderr,
      colour: false,
      env: {},
      clock: systemClock,
      version: '1.2.3',
      commit: 'abcdef0',
      paths: { crds: `${root}crds`, bundle: `${root}policies/bundle` },
      drivers: { PostgreSQL: createPostgresDriver() },
      cluster: (wanted) => findCluster(wanted, process.env),
      client: (access) => createClient(access, { userAgent: 'dataward-cli-test', qps: 0 }),
      signal: new AbortController().signal,
      ...overrides,
    },
    args,
  );
  return { code, stdout: stdout.text, stderr: stderr.text };
}

class Collector extends Writable {
  text = '';

  override _write(chunk: Buffer, _encoding: string, done: () => void): void {
    this.text += chunk.toString('utf8');
    done();
  }
}
