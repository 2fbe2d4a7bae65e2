import { watch } from 'node:fs';
import type { FSWatcher } from 'node:fs';
import { readFile, readdir, stat } from 'node:fs/promises';
import { extname, join } from 'node:path';

const EXTENSIONS = new Set(['.yaml', '.yml', '.json']);
/** Deeper folders are not looked into, so that a link back upwards ends. */
const MAX_DEPTH = 16;

export interface FolderContent {
  folders: string[];
  /** Path -> text, in the order of the paths. */
  files: Map<string, string>;
}

/** Reads every manifest file below the folder. Hidden names are left out: editors and mounted volumes keep theirs there. */
export async function readFolder(folder: string, depth = 0): Promise<FolderContent> {
  const content: FolderContent = { folders: [folder], files: new Map() };
  for (const name of (await readdir(folder)).sort()) {
    if (name.startsWith('.')) continue;
    const path = join(folder, name);
    // Following links: a mounted ConfigMap is a folder of links.
    const found = await stat(path).catch(() => undefined);
    if (found?.isDirectory() === true && depth < MAX_DEPTH) {
      const below = await readFolder(path, depth + 1);
      content.folders.push(...below.folders);
      for (const [file, text] of below.files) content.files.set(file, text);
    } else if (found?.isFile() === true && EXTENSIONS.has(extname(name))) {
      content.files.set(path, await readFile(path, 'utf8'));
    }
  }
  return content;
}

/** Tells when something may have changed in one of the folders. */
export interface FolderWatcher {
  /** Watches exactly these folders from now on. */
  update(folders: readonly string[]): void;
  close(): void;
}

/**
 * One watcher for each folder: Node's recursive watch on Linux loses files that an editor replaces by renaming.
 * It is a wake-up only; whoever uses it looks again from time to time, since the system may drop notices.
 */
export function watchFolders(onChange: () => void): FolderWatcher {
  const watchers = new Map<string, FSWatcher>();
  const drop = (folder: string): void => {
    watchers.get(folder)?.close();
    watchers.delete(folder);
  };
  return {
    update(folders) {
      for (const folder of watchers.keys()) if (!folders.includes(folder)) drop(folder);
      for (const folder of folders) {
        if (watchers.has(folder)) continue;
        try {
          const watcher = watch(folder, onChange);
          watcher.on('error', () => drop(folder));
          watchers.set(folder, watcher);
        } catch {
          // No notices for this folder (gone again, or the system's limit): the regular look finds its changes.
        }
      }
    },
    close() {
      for (const folder of watchers.keys()) drop(folder);
    },
  };
}
