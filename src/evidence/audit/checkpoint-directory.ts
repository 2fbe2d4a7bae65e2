import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { canonicalJson } from '../canonical.ts';
import { createWhole, makeFolder } from '../files.ts';
import { parseCheckpoint, type Checkpoint, type CheckpointSink } from './checkpoint.ts';

/** Checkpoints as files of a folder, for one machine, for mounted write-once storage, and for auditors' copies. */
export function directoryCheckpointSink(dir: string): CheckpointSink {
  return {
    name: `directory ${dir}`,

    async put(checkpoint: Checkpoint): Promise<void> {
      await makeFolder(dir);
      const path = join(dir, `${safeName(checkpoint.chainId)}-${String(checkpoint.seq).padStart(16, '0')}.json`);
      // A checkpoint that is there already is never overwritten.
      if (!(await createWhole(path, `${canonicalJson(checkpoint)}\n`))) await mustAnchorTheSame(path, checkpoint);
    },

    async list(): Promise<Checkpoint[]> {
      const files = (await readdir(dir)).filter((file) => file.endsWith('.json')).sort();
      return Promise.all(files.map((file) => read(join(dir, file))));
    },
  };
}

async function mustAnchorTheSame(path: string, checkpoint: Checkpoint): Promise<void> {
  const there = await read(path);
  if (there.rootHash === checkpoint.rootHash) return;
  throw new Error(`checkpoint ${path} anchors another history at seq ${checkpoint.seq}; verify the audit log before going on`);
}

async function read(path: string): Promise<Checkpoint> {
  try {
    return parseCheckpoint(await readFile(path, 'utf8'));
  } catch (error) {
    throw new Error(`checkpoint ${path}: ${(error as Error).message}`, { cause: error });
  }
}

/** Chain ids come from records and objects that others may have written; they must not leave the folder. */
function safeName(chainId: string): string {
  if (!/^[A-Za-z0-9-]{1,64}$/.test(chainId)) throw new Error('chain id is not a plain name of letters, digits and dashes');
  return chainId;
}
