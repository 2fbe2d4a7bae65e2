import { EXIT, type CliContext, type ExitCode, type Output } from './context.ts';
import { printResult } from './output.ts';

/** `version`: of this program and of what it runs on. */
export function version(context: CliContext, flags: { output: Output }): ExitCode {
  const versions = { version: context.version, commit: context.commit, node: process.version };
  printResult(context, flags.output, versions, () => `dataward ${context.version} (${context.commit}), Node ${process.version}`);
  return EXIT.fine;
}
