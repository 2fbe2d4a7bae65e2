import { relative } from 'node:path';
import type { KindRef } from '../api/object.ts';
import { isConflict } from '../runtime/api-error.ts';
import type { Client } from '../runtime/client.ts';
import { toCreate, toReplace } from './apply.ts';
import { Declarations } from './declarations.ts';
import type { DeclarationProblem, Declared } from './declarations.ts';
import { readFolder, watchFolders } from './folder.ts';
import type { StoredObject } from './object.ts';

/** What became of one document, or of a file that cannot be read. */
export interface ApplyResult {
  /** Relative to the folder. */
  file: string;
  line: number;
  /** `DataStore platform-db/analytics`; absent when the file could not be read as objects. */
  object?: string;
  /** `refused`: the API server (or the file) says no; a refused document is tried again. */
  outcome: 'created' | 'configured' | 'unchanged' | 'refused';
  /** Why it was refused. */
  message?: string;
}

export interface DirectoryOptions {
  dir: string;
  client: Pick<Client, 'get' | 'create' | 'replace'>;
  /** The kinds a file may declare. */
  kinds: readonly KindRef[];
  /** Called for each result that is news: not again for the same refusal, nor for what stays unchanged. */
  onResult: (result: ApplyResult) => void;
  /** Quiet time after a change before the files are read, so that a save in several steps is read once. Default 200. */
  debounceMs?: number;
  /** The files are looked at again after this time without any notice, and refused documents tried again. Default 3000. */
  rescanMs?: number;
}

export interface DirectorySource {
  /** All results of the first look. Rejects when the folder cannot be read. */
  firstPass: Promise<ApplyResult[]>;
  close(): Promise<void>;
}

const MAX_CONFLICTS = 5;

/** Creates or changes one object, starting over when somebody else was faster. */
async function applyOne(client: DirectoryOptions['client'], { manifest, kind, ref }: Declared): Promise<ApplyResult['outcome']> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      const current = await client.get<StoredObject>(kind, ref);
      if (current === undefined) {
        // A mistyped field that is dropped silently would be a promise nobody keeps.
        await client.create(kind, toCreate(manifest.object), { strict: true });
        return 'created';
      }
      const next = toReplace(manifest.object, current);
      if (next === undefined) return 'unchanged';
      await client.replace(kind, next, { strict: true });
      return 'configured';
    } catch (error) {
      if (!isConflict(error) || attempt === MAX_CONFLICTS) throw error;
    }
  }
}

/** Tells results on, but the same refusal only once. */
function newsFilter(onResult: DirectoryOptions['onResult']): (result: ApplyResult) => void {
  const refusals = new Map<string, string>();
  return (result) => {
    const key = result.object ?? result.file;
    const message = `${result.file}:${result.line} ${result.message ?? ''}`;
    const isNews = result.outcome === 'refused' ? refusals.get(key) !== message : result.outcome !== 'unchanged';
    if (result.outcome === 'refused') refusals.set(key, message);
    else refusals.delete(key);
    if (isNews) onResult(result);
  };
}

/** A serial loop: `run` after each call of `soon`, and again after `rescanMs` without one. */
function loop(run: () => Promise<unknown>, debounceMs: number, rescanMs: number): { soon: () => void; stop: () => Promise<void> } {
  let timer: NodeJS.Timeout | undefined;
  let running: Promise<unknown> = Promise.resolve();
  let stopped = false;
  const schedule = (delay: number): void => {
    if (stopped) return;
    clearTimeout(timer);
    timer = setTimeout(() => {
      timer = undefined;
      // A call of `soon` during the run has set a nearer time already.
      running = running.then(run).finally(() => timer ?? schedule(rescanMs));
    }, delay);
  };
  schedule(rescanMs);
  return {
    soon: () => schedule(debounceMs),
    async stop() {
      stopped = true;
      clearTimeout(timer);
      await running;
      clearTimeout(timer);
    },
  };
}

/**
 * Keeps the objects of a folder's manifests applied. A file that is removed, or a document taken out of one, deletes
 * nothing: protection is lifted by a person through the API, never by a file that went missing.
 */
export function watchDirectory(options: DirectoryOptions): DirectorySource {
  const { dir, client, kinds, debounceMs = 200, rescanMs = 3000 } = options;
  const declarations = new Declarations(kinds);
  const tell = newsFilter(options.onResult);
  const watcher = watchFolders(() => repeat.soon());
  let closed = false;

  const refusal = ({ file, line, message, object }: DeclarationProblem): ApplyResult => ({
    file: relative(dir, file), line, outcome: 'refused', message, ...(object !== undefined && { object }),
  });
  const pass = async (): Promise<ApplyResult[]> => {
    const { folders, files } = await readFolder(dir);
    if (!closed) watcher.update(folders);
    const results = declarations.update(dir, files).map(refusal);
    results.forEach(tell);
    for (const declared of declarations.pending()) {
      if (closed) break;
      const { manifest: { file, line }, label: object } = declared;
      let result: ApplyResult;
      try {
        result = { file: relative(dir, file), line, object, outcome: await applyOne(client, declared) };
        declarations.applied(declared);
      } catch (error) {
        result = refusal({ file, line, message: (error as Error).message, object });
      }
      results.push(result);
      tell(result);
    }
    return results;
  };

  const firstPass = pass();
  const first = firstPass.catch(() => undefined);
  const repeat = loop(async () => {
    await first;
    try {
      await pass();
    } catch (error) {
      tell({ file: '.', line: 0, outcome: 'refused', message: `the folder cannot be read: ${(error as Error).message}` });
    }
  }, debounceMs, rescanMs);
  return {
    firstPass,
    async close() {
      closed = true;
      watcher.close();
      await first;
      await repeat.stop();
    },
  };
}
