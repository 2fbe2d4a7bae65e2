import { open } from 'node:fs/promises';

/**
 * Real files on a disk that answers when the test says so: for what happens between the calls of a writer, where a real
 * disk gives no time to look.
 */
export interface PlayedDisk {
  readonly openFile: typeof open;
  /** Writes that have begun, by their length in bytes. */
  readonly writes: number[];
  /** From now on each write waits to be let go, its bytes with the kernel already. */
  hold(): void;
  /** Resolves when a held write waits. */
  waits(): Promise<void>;
  /** Lets the one that waits succeed, or fail with an error. */
  letGo(error?: Error): void;
  /** Lets the one that waits succeed and holds no other. */
  release(): void;
  /** Given the number of a write, from 1, the error it fails with, if any. */
  fault: ((write: number) => Error | undefined) | undefined;
}

export const EIO = (): Error => Object.assign(new Error('EIO: i/o error, write'), { code: 'EIO' });

export function playedDisk(): PlayedDisk {
  let held = false;
  let waiting: ((error?: Error) => void) | undefined;
  const disk: PlayedDisk = {
    writes: [],
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
            return async (data: Buffer, offset: number) => {
              const number = disk.writes.push(data.length - offset);
              const written = await target.write(data, offset);
              const error = disk.fault?.(number) ?? (held ? await new Promise<Error | undefined>((resolve) => (waiting = resolve)) : undefined);
              waiting = undefined;
              if (error) throw error;
              return written;
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
