#!/usr/bin/env node
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { KubeConfig } from '@kubernetes/client-node';
import { CommanderError } from 'commander';
import { CliError, EXIT, type CliContext, type ExitCode } from './cli/context.ts';
import { createProgram } from './cli/program.ts';
import { ConfigError } from './config.ts';
import { failureOf } from './connect/failures.ts';
import { ApiError, createClient } from './runtime/client.ts';
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
    kubeConfig,
    client: (config) => createClient(config, { userAgent: `dataward-cli/${version}`, qps: 0 }),
    signal: stopping.signal,
  };
  let code: ExitCode = EXIT.fine;
  await createProgram(context, (earned) => {
    code = earned;
  }).parseAsync(process.argv);
  return code;
}

function kubeConfig({ kubeconfig, context }: { kubeconfig?: string; context?: string }): KubeConfig {
  const config = new KubeConfig();
  try {
    if (kubeconfig === undefined) config.loadFromDefault();
    else config.loadFromFile(kubeconfig);
  } catch (error) {
    throw new CliError(`no kubeconfig: ${error instanceof Error ? error.message : String(error)}`, EXIT.input, { cause: error });
  }
  if (context !== undefined) {
    if (!config.getContextObject(context)) throw new CliError(`--context ${context}: the kubeconfig has no such context`);
    config.setCurrentContext(context);
  }
  return config;
}

/** Says what went wrong in one line; a stack is for the log of the operator, not for a terminal. */
function explain(error: unknown): ExitCode {
  if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.fine : EXIT.input;
  if (error instanceof CliError) {
    process.stderr.write(`error: ${error.message}\n`);
    return error.exitCode;
  }
  if (error instanceof ConfigError) {
    process.stderr.write(`error: ${error.message}\n`);
    return EXIT.input;
  }
  const failure = failureOf(error);
  if (failure.reason !== 'InternalError') process.stderr.write(`error: ${failure.message}\n`);
  else process.stderr.write(`error: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`);
  return error instanceof ApiError && error.status >= 400 && error.status < 500 ? EXIT.input : EXIT.unreachable;
}

process.exitCode = await main().catch(explain);
