import { randomUUID } from 'node:crypto';
import { link, open, unlink, type FileHandle } from 'node:fs/promises';

/** What file systems without hard links answer: FAT, some network and object store mounts. */
const NO_LINKS = new Set(['EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS']);

/**
 * Creates a file with mode 0600, whole and durable; false when there is one already, which stays as it is. A reader
 * never sees it half written, except where the file system knows no hard links: there a crash may leave a part.
 * `makeLink` is a parameter for tests of such file systems.
 */
export async function createWhole(path: string, content: string, makeLink: typeof link = link): Promise<boolean> {
  const draft = `${path}.${randomUUID()}.draft`;
  const handle = await open(draft, 'wx', 0o600);
  try {
    await handle.writeFile(content);
    await handle.sync();
    await makeLink(draft, path);
    return true;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'EEXIST') return false;
    if (code !== undefined && NO_LINKS.has(code)) return createExclusively(path, content);
    throw error;
  } finally {
    await handle.close();
    await unlink(draft);
  }
}

async function createExclusively(path: string, content: string): Promise<boolean> {
  let handle: FileHandle;
  try {
    handle = await open(path, 'wx', 0o600);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  }
  try {
    await handle.writeFile(content);
    await handle.sync();
    return true;
  } finally {
    await handle.close();
  }
}

/** Makes the names in a folder durable; without it a new file may be lost in a crash although its content is on disk. */
export async function syncFolder(dir: string): Promise<void> {
  const handle = await open(dir, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
