import { createHash } from 'node:crypto';
import { closeSync, fsyncSync, mkdirSync, openSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { isJsonObject } from './object.ts';
import type { StoredObject } from './object.ts';

/**
 * Objects on disk: one file per object, `objects/<collection>/<namespace>/<name>.json`, readable by their owner only
 * (Secrets lie here). A write is complete when the call returns: temp file, fsync, rename, fsync of the folder. So after
 * a kill -9 each file is either the old or the new object; a torn temp file is swept away at the next start.
 */
export interface StateDirectory {
  /** Every stored object with its collection. Throws, naming the file, when one cannot be read: starting without it
   * would silently drop what it protects. */
  load(): { collection: string; object: StoredObject }[];
  write(collection: string, object: StoredObject): void;
  remove(collection: string, object: StoredObject): void;
  /** The revision below which numbers may have been given out already; 0 for a new folder. */
  revisionCeiling(): number;
  /** Raises the ceiling, durably. Called before a revision beyond it is used. */
  reserveRevisions(ceiling: number): void;
}

const TEMP_PREFIX = '.tmp-';
/** File systems allow 255 bytes in a name; longer object names are cut and told apart by their hash. */
const MAX_FILE_NAME = 200;

function fsyncFolder(folder: string): void {
  const handle = openSync(folder, 'r');
  try {
    fsyncSync(handle);
  } finally {
    closeSync(handle);
  }
}

/** Creates missing folders and makes each new entry durable in its parent. */
function makeFolder(folder: string): void {
  const first = mkdirSync(folder, { recursive: true, mode: 0o700 });
  if (first === undefined) return;
  for (let current = folder; current.length >= first.length; current = dirname(current)) fsyncFolder(dirname(current));
}

/** Replaces the file's content so that a crash at any moment leaves the old or the new content, never a mix. */
export function writeDurably(path: string, content: string): void {
  const folder = dirname(path);
  makeFolder(folder);
  const temp = join(folder, `${TEMP_PREFIX}${process.pid}-${createHash('sha256').update(path).digest('hex').slice(0, 16)}`);
  const handle = openSync(temp, 'w', 0o600);
  try {
    // Not writeSync: that may write a part, and say so by its result only.
    writeFileSync(handle, content);
    fsyncSync(handle);
  } finally {
    closeSync(handle);
  }
  renameSync(temp, path);
  fsyncFolder(folder);
}

function fileName(name: string): string {
  const encoded = encodeURIComponent(name);
  if (encoded.length <= MAX_FILE_NAME) return `${encoded}.json`;
  return `${encoded.slice(0, MAX_FILE_NAME - 70)}~${createHash('sha256').update(name).digest('hex')}.json`;
}

function filesBelow(folder: string): string[] {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name);
    return entry.isDirectory() ? filesBelow(path) : [path];
  });
}

function readObject(path: string): StoredObject {
  let value: unknown;
  try {
    value = JSON.parse(readFileSync(path, 'utf8'));
  } catch (cause) {
    throw new Error(`${path}: the stored object cannot be read; restore the file from a copy or remove it by hand`, { cause });
  }
  if (isJsonObject(value) && isJsonObject(value['metadata']) && typeof value['metadata']['name'] === 'string') {
    return value as StoredObject;
  }
  throw new Error(`${path}: not a Kubernetes object; restore the file from a copy or remove it by hand`);
}

/** Opens (and creates) the folder. One process at a time: see `lockFolder`. */
export function openStateDirectory(folder: string): StateDirectory {
  const objects = join(folder, 'objects');
  const ceilingFile = join(folder, 'revision');
  makeFolder(objects);

  const pathOf = (collection: string, object: StoredObject): string =>
    join(objects, collection, object.metadata.namespace ?? '_cluster', fileName(object.metadata.name));

  return {
    load() {
      const loaded: { collection: string; object: StoredObject }[] = [];
      for (const path of filesBelow(objects)) {
        const [collection = '', , file = ''] = path.slice(objects.length + 1).split('/');
        if (file.startsWith(TEMP_PREFIX)) rmSync(path);
        else loaded.push({ collection, object: readObject(path) });
      }
      return loaded;
    },
    write(collection, object) {
      writeDurably(pathOf(collection, object), `${JSON.stringify(object, null, 2)}\n`);
    },
    remove(collection, object) {
      const path = pathOf(collection, object);
      rmSync(path, { force: true });
      fsyncFolder(dirname(path));
    },
    revisionCeiling() {
      let text: string;
      try {
        text = readFileSync(ceilingFile, 'utf8');
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code === 'ENOENT') return 0;
        throw error;
      }
      const ceiling = Number(text.trim());
      if (!Number.isSafeInteger(ceiling) || ceiling < 0) {
        throw new Error(`${ceilingFile}: "${text.trim()}" is not a revision number; restore the file from a copy`);
      }
      return ceiling;
    },
    reserveRevisions(ceiling) {
      writeDurably(ceilingFile, `${ceiling}\n`);
    },
  };
}
