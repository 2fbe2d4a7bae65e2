import { spawn } from 'node:child_process';
import { once } from 'node:events';

export interface CommandResult {
  readonly stdout: string;
  readonly stderr: string;
  /** Exit code; null when a signal ended it. */
  readonly code: number | null;
}

/**
 * Runs kubectl against one kubeconfig, whatever the user's own configuration says.
 *
 * @param input what kubectl reads from `-f -`
 * @throws only when kubectl cannot be started; a failing command is a result
 */
export async function kubectl(kubeconfig: string, args: readonly string[], input = ''): Promise<CommandResult> {
  // KUBECTL_KUBERC and HOME: aliases and caches of the person running the tests must not matter.
  const env = { PATH: process.env['PATH'], HOME: '/nonexistent', KUBECONFIG: kubeconfig, KUBECTL_KUBERC: 'false' };
  const child = spawn('kubectl', ['--cache-dir', `${kubeconfig}.cache`, ...args], { env, stdio: 'pipe' });
  const output = { stdout: '', stderr: '' };
  child.stdout.setEncoding('utf8').on('data', (text: string) => (output.stdout += text));
  child.stderr.setEncoding('utf8').on('data', (text: string) => (output.stderr += text));
  child.stdin.on('error', () => undefined); // kubectl that fails early does not read its input
  child.stdin.end(input);
  const [code] = (await once(child, 'close')) as [number | null];
  return { ...output, code };
}
