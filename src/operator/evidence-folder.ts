import { randomBytes } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { systemErrorWords } from '../api/system-errors.ts';
import { ConfigError } from '../config.ts';
import { openChain, type Chain } from '../evidence/audit/chain.ts';
import { AuditUnavailableError } from '../evidence/audit/log.ts';
import { createWhole, makeFolder, replaceWhole } from '../evidence/files.ts';
import { loadOrCreateSigningKey, publicKeyPem, type SigningKey } from '../evidence/keys.ts';

/** What lies in the folder of an installation's evidence, beside the checkpoints. */
export interface EvidenceFolder {
  chain: Chain;
  key: SigningKey;
  /** Of this installation, the same for ever: else one client would have two pseudonyms. */
  pseudonymKey: Buffer;
  /** Keeps a certificate beside the chain; resolves when it is on disk. Throws `AuditUnavailableError` when it cannot be. */
  keep: (name: string, text: string) => Promise<void>;
  /** What is kept under a name; undefined: nothing. */
  kept: (name: string) => Promise<string | undefined>;
}

/**
 * Opens all that lies in the folder, and makes what does not yet.
 *
 * @throws `ConfigError` when the folder cannot be made, read or written; `FolderLockedError` when another process has it
 */
export async function openFolder({ dir, actor, lockWaitMillis, now }: { dir: string; actor: string; lockWaitMillis: number; now: () => Date }): Promise<EvidenceFolder> {
  try {
    for (const folder of ['certificates', 'checkpoints', 'keys']) await makeFolder(join(dir, folder));
    const key = await loadOrCreateSigningKey(join(dir, 'signing-key.pem'));
    await replaceWhole(join(dir, 'keys', `${key.keyId}.pem`), publicKeyPem(key));
    const pseudonymKey = await loadOrCreateKey(join(dir, 'pseudonym.key'));
    const chain = await openChain({ dir: join(dir, 'audit'), clock: now, actor, lockWaitMillis });
    return { chain, key, pseudonymKey, ...certificatesIn(join(dir, 'certificates')) };
  } catch (error) {
    const words = systemErrorWords(error);
    if (words === undefined) throw error;
    const { path = dir } = error as NodeJS.ErrnoException;
    throw new ConfigError(`evidence folder ${dir} (--evidence-dir, or below --state): ${path}: ${words}; name a folder that this account may write and that outlives the process`);
  }
}

async function loadOrCreateKey(path: string): Promise<Buffer> {
  await createWhole(path, randomBytes(32).toString('base64'));
  return readFile(path);
}

function certificatesIn(dir: string): Pick<EvidenceFolder, 'keep' | 'kept'> {
  return {
    async keep(name, text) {
      const path = join(dir, name);
      try {
        await replaceWhole(path, text);
      } catch (error) {
        throw new AuditUnavailableError(`certificate ${path} cannot be written: ${systemErrorWords(error) ?? 'the file system refuses it'}; the run is certified as soon as it can be`, { cause: error });
      }
    },
    async kept(name) {
      try {
        return await readFile(join(dir, name), 'utf8');
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
        throw error;
      }
    },
  };
}
