import { CommanderError } from 'commander';
import type { Reason } from '../api/reasons.ts';
import { systemErrorWords } from '../api/system-errors.ts';
import { ConfigError } from '../config.ts';
import { failureOf } from '../connect/failures.ts';
import { ApiError } from '../runtime/client.ts';
import { CliError, EXIT, type Cluster, type ExitCode } from './context.ts';
import { fromApi } from './explain-api.ts';

/** How a command that threw ends: what stderr says, if not said already, and the exit code. */
export interface Ending {
  message?: string;
  exitCode: ExitCode;
}

/** Failures mended in the declarations; all others mean that the store could not be reached or did not let us read. */
const MENDED_IN_DECLARATIONS: readonly Reason[] = ['SecretNotFound', 'SecretNotBound', 'SecretInvalid', 'CaNotFound', 'NoEnforceCredentials', 'VerifyNotIndependent', 'InvalidSpec', 'MissingTable', 'MissingColumn', 'TypeMismatch', 'ProgressingWithRetry'];

export function exitOfFailure(reason: Reason): ExitCode {
  return MENDED_IN_DECLARATIONS.includes(reason) ? EXIT.input : EXIT.unreachable;
}

/**
 * Says what went wrong in a sentence for the person at the keyboard. A stack helps nobody there and is left to the
 * operator's log; `DATAWARD_DEBUG=1` shows it to whoever reports a fault.
 *
 * @param asked the cluster the command talked to, if it found one
 */
export function explain(error: unknown, env: NodeJS.ProcessEnv, asked?: Cluster): Ending {
  // Commander has said it.
  if (error instanceof CommanderError) return { exitCode: error.exitCode === 0 ? EXIT.fine : EXIT.input };
  const debug = env['DATAWARD_DEBUG'] !== undefined && error instanceof Error ? `\n${error.stack}` : '';
  const { message, exitCode } = wordsFor(error, asked);
  return { message: `${message}${debug}`, exitCode };
}

function wordsFor(error: unknown, asked: Cluster | undefined): { message: string; exitCode: ExitCode } {
  if (error instanceof CliError) return { message: error.message, exitCode: error.exitCode };
  if (error instanceof ConfigError) return { message: error.message, exitCode: EXIT.input };
  if (error instanceof ApiError) return fromApi(error, asked);
  const failure = failureOf(error);
  if (failure.reason !== 'InternalError') return { message: failure.message, exitCode: exitOfFailure(failure.reason) };
  const { path, message } = error instanceof Error ? (error as NodeJS.ErrnoException) : { path: undefined, message: String(error) };
  const words = systemErrorWords(error);
  if (words === undefined) return { message, exitCode: EXIT.unreachable };
  return { message: `${path ?? message.split(' ').at(-1)}: ${words}`, exitCode: EXIT.input };
}
