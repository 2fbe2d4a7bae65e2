import { randomUUID } from 'node:crypto';
import { link, mkdir, open, rename, unlink, type FileHandle } from 'node:fs/promises';
import { dirname } from 'node:path';

/** What file systems without hard links answer: FAT, some network and object store mounts. */
const NO_LINKS = new Set(['EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS']);

/**
 * Creates a folder with mode 0700, and those above it.
 *
 * @throws what the system says: of a read-only file system Node's own says that a folder above is missing
 */
export async function makeFolder(path: string): Promise<void> {
  try {
    await mkdir(path, { recursive: true, mode: 0o700 });
  } catch (error) {
    if (!isMissing(error)) throw error;
    await makeEach(path);
  }
}

async function makeEach(path: string): Promise<void> {
  try {
    await mkdir(path, { mode: 0o700 });
  } catch (error) {
    if (!isMissing(error) || dirname(path) === path) throw error;
    await makeEach(dirname(path));
    await mkdir(path, { mode: 0o700 });
  }
}

const isMissing = (error: unknown): boolean => (error as NodeJS.ErrnoException).code === 'ENOENT';

/** Puts a file with mode 0600 in the place of one that may be there; after a crash it is the old one or the new one, whole. */
export async function replaceWhole(path: string, content: string): Promise<void> {
  const draft = `${path}.${randomUUID()}.draft`;
  const handle = await open(draft, 'wx', 0o600);
  try {
    await handle.writeFile(content);
    await handle.sync();
    await rename(draft, path);
  } catch (error) {
    await unlink(draft);
    throw error;
  } finally {
    await handle.close();
  }
  await syncFolder(dirname(path));
}

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
    await syncFolder(dirname(path));
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
    await syncFolder(dirname(path));
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
