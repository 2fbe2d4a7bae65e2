import { open } from 'node:fs/promises';

/**
 * Real files on a disk that answers when the test says so: for what happens between the calls of a writer, where a real
 * disk gives no time to look.
 */
export interface PlayedDisk {
  readonly openFile: typeof open;
  /** Calls of `write` and `datasync` that have begun, in order. */
  readonly calls: string[];
  /** From now on each `datasync` waits to be let go. */
  hold(): void;
  /** Resolves when a held `datasync` waits. */
  waits(): Promise<void>;
  /** Lets the one that waits succeed, or fail with an error. */
  letGo(error?: Error): void;
  /** Lets the one that waits succeed and holds no other. */
  release(): void;
  /** Given the number of a `datasync`, from 1, the error it fails with, if any. */
  fault: ((sync: number) => Error | undefined) | undefined;
}

export const EIO = (): Error => Object.assign(new Error('EIO: i/o error, fdatasync'), { code: 'EIO' });

export function playedDisk(): PlayedDisk {
  let held = false;
  let syncs = 0;
  let waiting: ((error?: Error) => void) | undefined;
  const disk: PlayedDisk = {
    calls: [],
    fault: undefined,
    hold: () => void (held = true),
    async waits() {
      while (!waiting) await new Promise((resolve) => setImmediate(resolve));
    },
    letGo(error) {
      waiting?.(error);
    },
    release() {
      held = false;
      waiting?.();
    },
    async openFile(...args) {
      const handle = await open(...args);
      return new Proxy(handle, {
        get(target, property) {
          if (property === 'write') {
            return async (data: Buffer, offset: number) => (disk.calls.push('write'), target.write(data, offset));
          }
          if (property === 'datasync') {
            return async () => {
              disk.calls.push('datasync');
              const error = disk.fault?.((syncs += 1)) ?? (held ? await new Promise<Error | undefined>((resolve) => (waiting = resolve)) : undefined);
              waiting = undefined;
              if (error) throw error;
              await target.datasync();
            };
          }
          const value: unknown = Reflect.get(target, property);
          return typeof value === 'function' ? (value.bind(target) as unknown) : value;
        },
      });
    },
  };
  return disk;
}
