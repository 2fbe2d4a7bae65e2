import { canonicalJson, type Json } from '../canonical.ts';

/**
 * One entry of the audit chain: what it says and how it is written as one line.
 * A line is the canonical JSON of the record. Its hash is SHA-256 over that same text without the `hash` member, so
 * an auditor needs nothing but a text tool and sha256sum.
 */

export const AUDIT_OUTCOMES = ['Intended', 'Done', 'Refused', 'Failed', 'Noted'] as const;
/** `Intended` is written before the first effect; `Noted` states a fact nobody decided. */
export type AuditOutcome = (typeof AUDIT_OUTCOMES)[number];

/** What the entry is about. Names only. */
export interface AuditObject {
  readonly kind: string;
  readonly namespace?: string;
  readonly name: string;
  readonly uid?: string;
}

/**
 * What a caller hands in. No personal data: counts, names of objects, digests; a data subject only as a keyed HMAC.
 * The log is never rewritten, so whatever is in it stays.
 */
export interface AuditEntry {
  /** User name of a person or service account, or the component that decided. */
  readonly actor: string;
  /** Dotted lower-case words, e.g. `purge.intent`. */
  readonly action: string;
  readonly object: AuditObject;
  readonly outcome: AuditOutcome;
  readonly refs?: Readonly<Record<string, Json>>;
}

export interface AuditRecord extends AuditEntry {
  readonly refs: Readonly<Record<string, Json>>;
  /** 1, 2, 3, ... without a gap through all segments. */
  readonly seq: number;
  /** RFC 3339 in UTC, milliseconds; the writer's clock, informative: order is `seq`. */
  readonly ts: string;
  /** `hash` of the record before; 64 zeros for the first. */
  readonly prevHash: string;
  /** 64 hex digits. */
  readonly hash: string;
}

/** The end of a chain: the record the next one must name. */
export interface ChainHead {
  readonly seq: number;
  readonly hash: string;
}

export const EMPTY_CHAIN: ChainHead = { seq: 0, hash: '0'.repeat(64) };

/** Longest line, newline included. Bounds the memory of every reader. */
export const MAX_LINE_BYTES = 65_536;
/** What is left of a line for the entry, beside its place in the chain: two hashes, number and time. */
const MAX_ENTRY_BYTES = MAX_LINE_BYTES - 512;

/** The first record of every chain; its `refs.chainId` names the chain. */
export const CHAIN_STARTED = 'chain.started';
/** A torn write was found on open and set aside; its `refs` say how many bytes and their digest. */
export const TAIL_REPAIRED = 'chain.tail-repaired';

/** An entry that cannot be recorded. The log itself is unharmed. */
export class AuditEntryError extends Error {
  override readonly name = 'AuditEntryError';
}

/** An entry whose text is ready except for its place in the chain; made when it is handed in, so that a bad one fails alone. */
export interface EncodedEntry {
  readonly entry: AuditEntry;
  readonly beforeHash: string;
  readonly beforePrevHash: string;
  readonly beforeSeq: string;
}

const ACTION = /^[a-z][a-z0-9-]*(\.[a-z0-9][a-z0-9-]*)+$/;

/** Checks and encodes an entry. Throws `AuditEntryError` naming the field. */
export function encodeEntry(entry: AuditEntry): EncodedEntry {
  const problem = entryProblem(entry);
  if (problem) throw new AuditEntryError(`audit entry ${JSON.stringify(entry.action)}: ${problem}`);
  try {
    const { refs } = entry;
    const encoded = {
      entry,
      // The form of an action leaves nothing to escape.
      beforeHash: `{"action":"${entry.action}","actor":${canonicalJson(entry.actor)}`,
      beforePrevHash: `,"object":${objectText(entry.object)},"outcome":"${entry.outcome}"`,
      beforeSeq: refs === undefined ? ',"refs":{}' : `,"refs":${canonicalJson(refs)}`,
    };
    const bytes = bytesOf(encoded);
    if (bytes > MAX_ENTRY_BYTES) {
      throw new AuditEntryError(`is ${bytes} bytes long, more than ${MAX_ENTRY_BYTES}; record a digest instead of the content`);
    }
    return encoded;
  } catch (error) {
    throw new AuditEntryError(`audit entry ${JSON.stringify(entry.action)}: ${(error as Error).message}`, { cause: error });
  }
}

/** Length of the text, or at least a bound of it where even that is far from the limit: counting costs as much as encoding. */
function bytesOf({ beforeHash, beforePrevHash, beforeSeq }: EncodedEntry): number {
  // A UTF-16 code unit is at most three bytes of UTF-8.
  const bound = (beforeHash.length + beforePrevHash.length + beforeSeq.length) * 3;
  return bound <= MAX_ENTRY_BYTES ? bound : Buffer.byteLength(beforeHash) + Buffer.byteLength(beforePrevHash) + Buffer.byteLength(beforeSeq);
}

/** Written out, because it is in every line: members in canonical order, absent ones left out. */
function objectText({ kind, name, namespace, uid }: AuditObject): string {
  const optional = (namespace === undefined ? '' : `,"namespace":${canonicalJson(namespace)}`) + (uid === undefined ? '' : `,"uid":${canonicalJson(uid)}`);
  return `{"kind":${canonicalJson(kind)},"name":${canonicalJson(name)}${optional}}`;
}

function entryProblem(entry: AuditEntry): string | undefined {
  if (typeof entry.action !== 'string' || !ACTION.test(entry.action)) return 'action must be dotted lower-case words, e.g. purge.intent';
  if (typeof entry.actor !== 'string' || entry.actor === '') return 'actor must name who acted';
  if (!AUDIT_OUTCOMES.includes(entry.outcome)) return `outcome must be one of ${AUDIT_OUTCOMES.join(', ')}`;
  const { object, refs } = entry;
  if (!isPlainObject(object)) return 'object must name what the entry is about';
  for (const key of Object.keys(object)) {
    if (!OBJECT_KEYS.has(key)) return `object.${key} is not a known field; known are ${[...OBJECT_KEYS].join(', ')}`;
    const part = object[key as keyof AuditObject];
    if (part !== undefined && (typeof part !== 'string' || part === '')) return `object.${key} must be a non-empty text`;
  }
  if (object.kind === undefined || object.name === undefined) return 'object needs kind and name';
  if (refs !== undefined && !isPlainObject(refs)) return 'refs must be an object';
  return undefined;
}

const OBJECT_KEYS: ReadonlySet<string> = new Set(['kind', 'namespace', 'name', 'uid']);

function isPlainObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
