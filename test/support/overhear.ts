import type { Readable } from './scan.ts';

interface Output {
  readonly stdout: string;
  readonly stderr: string;
}

/** The same command; what it prints is added to `said`, where a scan for personal data finds it in the end. */
export function overhear<Options extends unknown[], Result extends Output>(command: (args: readonly string[], ...options: Options) => Promise<Result>, said: Readable[]): typeof command {
  return async (args, ...options) => {
    const result = await command(args, ...options);
    said.push({ where: `output of ${args.join(' ')}`, text: result.stdout + result.stderr });
    return result;
  };
}
