#!/usr/bin/env node
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { findCluster } from './cli/cluster.ts';
import type { CliContext, ExitCode } from './cli/context.ts';
import { runCommand } from './cli/run.ts';
import { createClient } from './runtime/client.ts';
import { systemClock } from './runtime/clock.ts';
import { createPostgresDriver } from './stores/postgres/driver.ts';

const ROOT = fileURLToPath(new URL('..', import.meta.url));

async function main(): Promise<ExitCode> {
  const stopping = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => stopping.abort());
  const { version } = JSON.parse(readFileSync(`${ROOT}package.json`, 'utf8')) as { version: string };
  const context: CliContext = {
    stdout: process.stdout,
    stderr: process.stderr,
    colour: process.stdout.isTTY === true,
    env: process.env,
    clock: systemClock,
    version,
    commit: process.env['DATAWARD_COMMIT'] ?? 'unknown',
    paths: { crds: `${ROOT}crds`, bundle: `${ROOT}policies/bundle` },
    drivers: { PostgreSQL: createPostgresDriver() },
    cluster: (wanted) => findCluster(wanted, process.env),
    client: (access) => createClient(access, { userAgent: `dataward-cli/${version}`, qps: 0 }),
    signal: stopping.signal,
  };
  return runCommand(context, process.argv.slice(2));
}

process.exitCode = await main();
// A connection that hangs must not keep a command alive that is done; what is written to pipes has this long to get there.
setTimeout(() => process.exit(), 2_000).unref();
