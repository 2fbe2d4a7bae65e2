import { hash } from 'node:crypto';
import type { Checkpoint } from './audit/checkpoint.ts';
import { canonicalJson } from './canonical.ts';
import { CERTIFICATE_SCHEMA, shapeProblems, VERIFICATION_LEVELS } from './certificate-schema.ts';
import type { CERTIFICATE_KINDS, DISPOSAL_METHODS } from './certificate-schema.ts';
import { signText, type SigningKey } from './keys.ts';
import { looksPersonal } from './pseudonym.ts';

/**
 * Deletion certificates: what was removed, under which rule and whose approval, how that was checked, and what the
 * statement does not cover. Counts, names and digests; never data.
 */

export interface CertifiedCollection {
  readonly name: string;
  readonly table: string;
  readonly method: (typeof DISPOSAL_METHODS)[number];
  readonly predicateDigest: string;
  /** Where it differs from the basis. */
  readonly cutoff?: string;
  /** Rows the rule reached when the run was planned; rows that came late may make `deleted` larger. */
  readonly eligible: number;
  readonly deleted: number;
  /** Kept by a legal hold, by a minimum or a client's own longer period, by a row that refers to them, for want of a believable date. */
  readonly held: number;
  readonly floored: number;
  readonly blocked: number;
  readonly indeterminate: number;
  readonly verification: {
    readonly level: (typeof VERIFICATION_LEVELS)[number];
    /** How it was looked at, e.g. `count by another identity`. */
    readonly method: string;
    /** Due rows still found; anything but 0 earns no certificate. */
    readonly residual: number;
    readonly at: string;
  };
}

export interface Exclusion {
  readonly collection: string;
  /** CamelCase, e.g. `LegalHold`. */
  readonly reason: string;
  readonly rows: number;
  /** Name of the object that is the reason. */
  readonly ref: string | null;
  readonly until: string | null;
}

export interface CertifiedReplica {
  readonly place: number;
  readonly verified: boolean;
  /** CamelCase, e.g. `ReplicaBehind`; null when it was verified. */
  readonly reason: string | null;
}

/** What the caller knows; the builder orders and completes it. */
export interface CertificateFacts {
  /** UUID. */
  readonly id: string;
  readonly kind: (typeof CERTIFICATE_KINDS)[number];
  readonly issuedAt: string;
  readonly issuer: { readonly name: string; readonly version: string };
  /** Id of the certificate this one takes the place of. */
  readonly supersedes?: string;
  readonly basis: {
    readonly policy: { readonly namespace: string; readonly name: string; readonly generation: number; readonly specHash: string };
    readonly planDigest: string;
    readonly cutoff: string;
    readonly approvals: readonly { readonly by: string; readonly at: string }[];
    readonly runUid: string;
  };
  readonly store: { readonly namespace: string; readonly name: string; readonly identityFingerprint: string; readonly server: string };
  readonly collections: readonly CertifiedCollection[];
  /** Client keys as declared, or `pseudonym`s of them. */
  readonly clients: readonly { readonly client: string; readonly deleted: number }[];
  readonly exclusions: readonly Exclusion[];
  /** Declared replicas of the store, by their place in its declaration, never by address. Absent: nobody looked at any. */
  readonly replicas?: readonly CertifiedReplica[];
  /** What nobody looked at or could remove, in words: backups, logs, copies. */
  readonly notCovered: readonly string[];
  readonly audit: { readonly chainId: string; readonly firstSeq: number; readonly lastSeq: number; readonly checkpoint: Checkpoint | null };
  /** Digest of the policy bundle that judged the run. */
  readonly bundleDigest: string | null;
}

export interface UnsignedCertificate extends CertificateFacts {
  readonly schema: typeof CERTIFICATE_SCHEMA;
}

export interface Certificate extends UnsignedCertificate {
  readonly signature: { readonly alg: 'Ed25519'; readonly keyId: string; readonly value: string };
}

/** The facts do not earn a certificate. `problems` name fields and collections, never values. */
export class CertificateRefusedError extends Error {
  override readonly name = 'CertificateRefusedError';
  readonly problems: readonly string[];

  constructor(problems: readonly string[]) {
    super(`no certificate is issued: ${problems.join('; ')}`);
    this.problems = problems;
  }
}

/**
 * Builds the statement; the same facts give the same bytes. Rows that stayed are listed as exclusions even where the
 * caller gave none. Throws `CertificateRefusedError` for residual rows, unverified results, counts that cannot be
 * true, fields the schema does not know, and text that looks like personal data.
 */
export function buildCertificate(facts: CertificateFacts): UnsignedCertificate {
  const shape = shapeProblems({ ...facts, schema: CERTIFICATE_SCHEMA }, false);
  if (shape.length > 0) throw new CertificateRefusedError(shape);
  const certificate = {
    ...facts,
    schema: CERTIFICATE_SCHEMA,
    collections: [...facts.collections].sort(by((collection) => collection.name)),
    clients: [...facts.clients].sort(by(({ client }) => client)),
    ...(facts.replicas ? { replicas: [...facts.replicas].sort((a, b) => a.place - b.place) } : {}),
    exclusions: completeExclusions(facts).sort(by(({ collection, reason, ref }) => `${collection} ${reason} ${ref ?? ''}`)),
  } as const;
  const problems = factProblems(certificate);
  if (problems.length > 0) throw new CertificateRefusedError(problems);
  return certificate;
}

export function signCertificate(certificate: UnsignedCertificate, key: SigningKey): Certificate {
  const value = signText(canonicalJson(certificate), key);
  return { ...certificate, signature: { alg: 'Ed25519', keyId: key.keyId, value } };
}

/** The file's content: canonical JSON and a newline. */
export function certificateText(certificate: Certificate): string {
  return `${canonicalJson(certificate)}\n`;
}

/** A certificate out of its file's content; undefined where it is none, e.g. cut off in a crash. Says nothing of the signature. */
export function readCertificate(text: string): Certificate | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return shapeProblems(value, true).length === 0 ? (value as Certificate) : undefined;
  } catch {
    return undefined;
  }
}

/** `sha256:` digest of the file's content, as a PurgeRun's status names it. */
export function certificateDigest(text: string): string {
  return `sha256:${hash('sha256', text, 'hex')}`;
}

/** What cannot be true of any honest certificate, whoever wrote it. Used before signing and when verifying. */
export function factProblems(certificate: CertificateFacts): string[] {
  const problems: string[] = [];
  for (const { name, verification } of certificate.collections) {
    const { level, residual } = verification;
    if (residual !== 0) problems.push(`collection ${name} still has ${residual} due rows; run again and verify`);
    if (level === 'Claimed') problems.push(`collection ${name} was not verified by another identity; give the store verify credentials`);
  }
  problems.push(...replicaProblems(certificate));
  const deleted = sum(certificate.collections.map((collection) => collection.deleted));
  const perClient = sum(certificate.clients.map((client) => client.deleted));
  if (perClient > deleted) problems.push(`clients count ${perClient} deleted rows, collections only ${deleted}`);
  if (hasTwins(certificate.collections.map(({ name }) => name))) problems.push('a collection is listed twice');
  if (hasTwins(certificate.clients.map(({ client }) => client))) problems.push('a client is listed twice');

  const { firstSeq, lastSeq, chainId, checkpoint } = certificate.audit;
  if (firstSeq < 1 || lastSeq < firstSeq) problems.push(`audit range ${firstSeq} to ${lastSeq} is no range of records`);
  if (checkpoint && (checkpoint.chainId !== chainId || checkpoint.seq < lastSeq)) {
    problems.push(`audit.checkpoint does not anchor record ${lastSeq} of chain ${chainId}; sign one after the run's last record`);
  }

  certificate.notCovered.forEach((text, i) => {
    if (looksPersonal(text)) problems.push(`notCovered[${i}] looks like personal data; name the kind of copy instead`);
  });
  certificate.clients.forEach(({ client }, i) => {
    if (!client.startsWith('hmac-sha256:') && looksPersonal(client)) problems.push(`clients[${i}].client looks like personal data; hand in its keyed pseudonym`);
  });
  certificate.exclusions.forEach(({ ref }, i) => {
    if (ref !== null && looksPersonal(ref)) problems.push(`exclusions[${i}].ref looks like personal data; name the object`);
  });
  return problems;
}

/** A copy nobody verified must neither be counted to the proof nor be kept silent about. */
function replicaProblems({ collections, replicas, notCovered }: CertificateFacts): string[] {
  const problems: string[] = [];
  const levels: readonly string[] = VERIFICATION_LEVELS;
  const above = collections.filter(({ verification }) => levels.indexOf(verification.level) >= levels.indexOf('VerifiedReplicas'));
  for (const { place, verified, reason } of replicas ?? []) {
    if (verified === (reason !== null)) problems.push(`replicas[${place}] must have a reason when it was not verified, and only then`);
    if (verified) continue;
    if (above.length > 0) problems.push(`collection ${above[0]?.name} is called ${above[0]?.verification.level}, but replicas[${place}] was not verified`);
    if (!notCovered.some((text) => text.startsWith(`replicas[${place}] `))) problems.push(`notCovered does not say that replicas[${place}] was not verified`);
  }
  const claimed = collections.find(({ verification }) => verification.level === 'VerifiedReplicas');
  if (claimed && (replicas ?? []).length === 0) problems.push(`collection ${claimed.name} is called VerifiedReplicas, but no replica is named; look at the declared replicas`);
  if (hasTwins((replicas ?? []).map(({ place }) => String(place)))) problems.push('a replica is listed twice');
  return problems;
}

const KEPT = [
  ['held', 'LegalHold'],
  ['floored', 'LongerRetention'],
  ['blocked', 'BlockedByReference'],
  ['indeterminate', 'IndeterminateDate'],
] as const;

function completeExclusions({ collections, exclusions }: CertificateFacts): Exclusion[] {
  const derived = collections.flatMap((collection) =>
    KEPT.filter(([count, reason]) => collection[count] > 0 && !exclusions.some((one) => one.collection === collection.name && one.reason === reason)).map(
      ([count, reason]) => ({ collection: collection.name, reason, rows: collection[count], ref: null, until: null }),
    ),
  );
  return [...exclusions, ...derived];
}

function by<T>(key: (value: T) => string): (a: T, b: T) => number {
  return (a, b) => (key(a) < key(b) ? -1 : key(a) > key(b) ? 1 : 0);
}

function sum(counts: readonly number[]): number {
  return counts.reduce((total, count) => total + count, 0);
}

function hasTwins(names: readonly string[]): boolean {
  return new Set(names).size !== names.length;
}
