import type { PublicKeys } from '../keys.ts';
import { checkpointIsGenuine, type Checkpoint } from './checkpoint.ts';
import { readLink } from './line.ts';
import type { AuditLog } from './log.ts';
import { CHAIN_STARTED, TAIL_REPAIRED } from './record.ts';
import { listSegments, scanLines } from './segments.ts';

/**
 * A folder that was emptied gets a new chain, on purpose or because somebody wanted the old one gone. Checkpoints elsewhere
 * still know that one; the new chain says so in its first records, where nobody can take it out again.
 */

/** Among the first records of a chain: another one was there before, and its last record that a checkpoint vouches for. */
export const PREDECESSOR_MISSING = 'chain.predecessor-missing';

/** An earlier chain, by the newest checkpoint of it. */
export interface Predecessor {
  readonly chainId: string;
  /** Number and hash of its last record that is known of. */
  readonly seq: number;
  readonly rootHash: string;
  /** When that was signed, RFC 3339. */
  readonly ts: string;
  readonly keyId: string;
  /** `UnknownKey`: the key went with the folder, or somebody else signed; an auditor with the public key can tell. */
  readonly signature: 'Valid' | 'UnknownKey';
}

/** Others may write into a second place; what they put there must not fill the chain. */
const MOST = 100;

/** Chains other than this one that checkpoints vouch for: those by keys of ours first, then the newest. A forgery under a key of ours is none. Pure. */
export function predecessorsIn(checkpoints: readonly Checkpoint[], chainId: string, keys: PublicKeys): Predecessor[] {
  const found = new Map<string, Predecessor>();
  for (const checkpoint of checkpoints) {
    const signature = signatureOf(checkpoint, keys);
    if (checkpoint.chainId === chainId || signature === undefined || !isPlain(checkpoint)) continue;
    const { chainId: other, seq, rootHash, ts, keyId } = checkpoint;
    const known = found.get(other);
    const better = known === undefined || (known.signature === signature ? seq > known.seq : signature === 'Valid');
    if (better) found.set(other, { chainId: other, seq, rootHash, ts, keyId, signature });
  }
  return [...found.values()].toSorted((a, b) => Number(b.signature === 'Valid') - Number(a.signature === 'Valid') || Date.parse(b.ts) - Date.parse(a.ts) || (a.chainId < b.chainId ? -1 : 1)).slice(0, MOST);
}

/** How a chain begins. */
export interface Opening {
  /** Chains it has put down as missing; of a folder that nobody has verified, its own word. */
  readonly missing: readonly Predecessor[];
  /** It holds nothing else yet, so that more may be put down among its first records. */
  readonly open: boolean;
}

/** Reads the first records of a chain. Of one that is not there or not whole, what can be read. Throws the file system's error. */
export async function openingOf(dir: string): Promise<Opening> {
  const [first] = await listSegments(dir);
  const missing: Predecessor[] = [];
  let open = true;
  if (first) {
    await scanLines(first.path, (line) => {
      const link = readLink(line);
      if (typeof link === 'string' || ![CHAIN_STARTED, TAIL_REPAIRED, PREDECESSOR_MISSING].includes(link.action)) open = false;
      else if (link.action === PREDECESSOR_MISSING && isPredecessor(link.refs)) missing.push(link.refs);
      return open;
    });
  }
  return { missing, open };
}

/** Puts earlier chains down as missing. Rejects as `append` of the log does. */
export async function recordMissing(log: AuditLog, actor: string, predecessors: readonly Predecessor[]): Promise<void> {
  await Promise.all(predecessors.map((each) => log.append({ actor, action: PREDECESSOR_MISSING, object: { kind: 'AuditChain', name: each.chainId }, outcome: 'Noted', refs: { ...each } })));
}

function signatureOf(checkpoint: Checkpoint, keys: PublicKeys): Predecessor['signature'] | undefined {
  const key = keys.get(checkpoint.keyId);
  if (key === undefined) return 'UnknownKey';
  return checkpointIsGenuine(checkpoint, key) ? 'Valid' : undefined;
}

function isPredecessor(refs: object): refs is Predecessor {
  const { chainId, seq, rootHash, ts, keyId, signature } = refs as Partial<Record<keyof Predecessor, unknown>>;
  const texts = [chainId, rootHash, ts, keyId].every((text) => typeof text === 'string');
  return texts && Number.isSafeInteger(seq) && (signature === 'Valid' || signature === 'UnknownKey') && isPlain(refs as Predecessor);
}

/** Texts of strangers go no further than they look like ours. */
function isPlain({ chainId, rootHash, ts, keyId }: Pick<Checkpoint, 'chainId' | 'rootHash' | 'ts' | 'keyId'>): boolean {
  return /^[A-Za-z0-9-]{1,64}$/.test(chainId) && /^[0-9a-f]{64}$/.test(rootHash) && /^[0-9a-f]{16}$/.test(keyId) && /^[0-9TZ:.-]{20,30}$/.test(ts) && !Number.isNaN(Date.parse(ts));
}
