import { spawn } from 'node:child_process';

/**
 * Ends a server process, and removes its folder, when this process is gone for whatever reason.
 *
 * A handler on `exit` is not enough: jest gives tests a copy of `process` whose handlers never run, and no
 * handler runs after SIGKILL. So a small shell reads a pipe only we hold open; the kernel closes it when we end.
 *
 * @returns a function to call once the server was stopped in the ordinary way, before its pid can be reused
 */
export function endWithThisProcess(pid: number, signal: 'QUIT' | 'KILL', folder: string): () => void {
  const script = 'read -r _; kill -s "$1" "$2" 2>/dev/null; sleep 1; kill -s KILL "$2" 2>/dev/null; rm -rf -- "$3"';
  const shell = spawn('sh', ['-c', script, 'watchdog', signal, String(pid), folder], {
    stdio: ['pipe', 'ignore', 'ignore'],
    detached: true, // a Ctrl-C in the terminal must not end the watchdog before it has worked
    cwd: '/',
  });
  shell.unref();
  (shell.stdin as unknown as { unref(): void }).unref();
  return () => {
    shell.kill('SIGKILL');
  };
}
