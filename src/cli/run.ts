import { EXIT, type CliContext, type Cluster, type ExitCode } from './context.ts';
import { explain } from './explain.ts';
import { createProgram } from './program.ts';

/** Runs one command to its end. Whatever goes wrong becomes one sentence on stderr and an exit code; nothing is thrown. */
export async function runCommand(context: CliContext, args: readonly string[]): Promise<ExitCode> {
  let code: ExitCode = EXIT.fine;
  let asked: Cluster | undefined;
  const cluster: CliContext['cluster'] = async (wanted) => (asked = await context.cluster(wanted));
  const program = createProgram({ ...context, cluster }, (earned) => {
    code = earned;
  });
  try {
    await program.parseAsync(args, { from: 'user' });
    return code;
  } catch (error) {
    const { message, exitCode } = explain(error, context.env, asked);
    if (message !== undefined) context.stderr.write(`error: ${message}\n`);
    return exitCode;
  }
}
