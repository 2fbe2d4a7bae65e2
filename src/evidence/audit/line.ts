import { isUtf8 } from 'node:buffer';
import { hash } from 'node:crypto';
import { isCanonicalText, type Json } from '../canonical.ts';
import { AUDIT_OUTCOMES, MAX_LINE_BYTES, type AuditRecord, type ChainHead } from './record.ts';

/** Reads lines of a chain back, from whoever wrote them. */

const LINE_PROBLEMS = ['TooLong', 'NotUtf8', 'NotJson', 'NotCanonical', 'NotARecord', 'HashMismatch'] as const;
export type LineProblem = (typeof LINE_PROBLEMS)[number];

/** What the chain itself needs of a line. */
export interface Link extends ChainHead {
  readonly prevHash: string;
  readonly action: string;
  readonly refs: Readonly<Record<string, Json>>;
}

/** Reads one line without its newline, trusting nothing: text, form, shape and hash must all be right. */
export function readLink(line: Buffer): Link | LineProblem {
  if (line.length >= MAX_LINE_BYTES) return 'TooLong';
  // Decoding replaces broken bytes by U+FFFD; two different files would then have the same hash.
  if (!isUtf8(line)) return 'NotUtf8';
  const text = line.toString('utf8');
  const parts = LINE.exec(text);
  const seq = Number(parts?.[5]);
  if (!parts || !Number.isSafeInteger(seq)) return formProblem(text);
  const refs = parseCanonical(parts[4]!);
  if (typeof refs === 'string') return refs;
  const [, action, digest, prevHash] = parts as unknown as [string, string, string, string];
  // `action` and `actor` are texts, and quotes within texts are escaped: the first match is the member itself.
  const at = text.indexOf(',"hash":"');
  const unhashed = text.slice(0, at) + text.slice(at + ',"hash":""'.length + 64);
  if (hash('sha256', unhashed, 'hex') !== digest) return 'HashMismatch';
  return { seq, hash: digest, prevHash, action, refs };
}

/** As `readLink`, with the rest of the record. */
export function readRecord(line: Buffer): AuditRecord | LineProblem {
  const link = readLink(line);
  return typeof link === 'string' ? link : (JSON.parse(line.toString('utf8')) as AuditRecord);
}

const TEXT = String.raw`"[^"\\\x00-\x1f]*(?:\\(?:["\\bfnrt]|u00(?:0[0-7bef]|1[0-9a-f]))[^"\\\x00-\x1f]*)*"`;
const NAME = TEXT.replace('"', '"(?!")');
/**
 * A record in canonical form, its `refs` apart. One expression checks shape, order of members and spelling at once;
 * parsing and writing the line again to compare costs twice the time of everything else.
 */
const LINE = new RegExp(
  String.raw`^\{"action":"([a-z][a-z0-9-]*(?:\.[a-z0-9][a-z0-9-]*)+)","actor":${NAME},"hash":"([0-9a-f]{64})"` +
    String.raw`,"object":\{"kind":${NAME},"name":${NAME}(?:,"namespace":${NAME})?(?:,"uid":${NAME})?\}` +
    String.raw`,"outcome":"(?:${AUDIT_OUTCOMES.join('|')})","prevHash":"([0-9a-f]{64})","refs":(\{.*\})` +
    String.raw`,"seq":([1-9][0-9]{0,15}),"ts":"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{3}Z"\}$`,
  's',
);

function parseCanonical(text: string): Record<string, Json> | LineProblem {
  try {
    const value = JSON.parse(text) as Record<string, Json>;
    // Refuses doubled keys and spellings that another parser may read differently.
    return isCanonicalText(text, value) ? value : 'NotCanonical';
  } catch {
    return 'NotJson';
  }
}

/** Why a line is no record: for people, so the order is from the plainest reason. */
function formProblem(text: string): LineProblem {
  const value = parseCanonical(text);
  return typeof value === 'string' ? value : 'NotARecord';
}
