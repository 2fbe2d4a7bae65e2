import type { Coverage } from '../api/generated/dataStore.ts';
import type { LegalHold } from '../api/generated/legalHold.ts';
import type { CertificateFact, CoverageFact, HoldInput, RetentionCount, TransportFact } from './input.ts';

/**
 * From what was seen to what policies may know. Whatever was not seen, or only in part, is left out: for policies an
 * absent field is unknown, and a default here would be a guess they take for a measurement.
 */

/** When a group of facts was seen, and until when it counts; RFC 3339. */
export interface SeenAt {
  observedAt: string;
  validUntil: string;
}

/** What the handshakes with an endpoint showed; versions as TLSv1, TLSv1.1, TLSv1.2, TLSv1.3. */
export interface SeenTransport {
  version?: string;
  /** Versions tried alone; one that could not be tried is in neither list. */
  accepted: readonly string[];
  refused: readonly string[];
  plaintextRefused?: boolean;
  certificate?: { notBefore: string; notAfter: string; keyType: string; keyBits: number; trusted: boolean; nameMatches: boolean };
}

export interface SeenSessions {
  plaintext: number;
  /** False when not all sessions could be seen; then the count is a lower bound. */
  complete: boolean;
  own: { tls: boolean; serverAddressMatches: boolean };
}

/** What one collection was counted to hold. */
export interface SeenCount {
  collection: string;
  due: number;
  held: number;
  floored: number;
  indeterminate: number;
  exact: boolean;
}

/** Node's names of key types. */
const keyTypes: Readonly<Record<string, CertificateFact['keyType']>> = { rsa: 'RSA', 'rsa-pss': 'RSA', ec: 'EC', ed25519: 'Ed25519', ed448: 'Ed448', dsa: 'DSA' };

export function transportFact(at: SeenAt, seen: SeenTransport, sessions: SeenSessions | undefined): TransportFact {
  const countable = sessions !== undefined && (sessions.complete || sessions.plaintext > 0);
  return known<TransportFact>({
    ...interval(at),
    version: tlsVersion(seen.version),
    plaintextRefused: seen.plaintextRefused,
    legacyRefused: allRefused(seen, ['TLSv1', 'TLSv1.1']),
    tls12Refused: allRefused(seen, ['TLSv1.2']),
    livePlaintextSessions: countable ? sessions.plaintext : undefined,
    pooler: sessions === undefined ? undefined : !sessions.own.tls || !sessions.own.serverAddressMatches,
    certificate: seen.certificate === undefined ? undefined : certificateFact(seen.certificate),
  });
}

function certificateFact({ notBefore, notAfter, keyType, keyBits, trusted, nameMatches }: NonNullable<SeenTransport['certificate']>): CertificateFact {
  return known<CertificateFact>({
    notBefore: secondsOf(notBefore),
    notAfter: secondsOf(notAfter),
    keyType: Object.hasOwn(keyTypes, keyType) ? keyTypes[keyType] : undefined,
    keyBits: keyBits > 0 ? keyBits : undefined,
    trusted,
    nameMatches,
  });
}

/** One acceptance decides against; only a refusal of each decides for. */
function allRefused({ accepted, refused }: SeenTransport, versions: readonly string[]): boolean | undefined {
  if (versions.some((version) => accepted.includes(version))) return false;
  return versions.every((version) => refused.includes(version)) ? true : undefined;
}

function tlsVersion(version: string | undefined): TransportFact['version'] | undefined {
  return (['TLSv1', 'TLSv1.1', 'TLSv1.2', 'TLSv1.3'] as const).find((name) => name === version);
}

/**
 * @param overdueExemptions tables called non-personal whose review date is over; undefined when the maps were not read
 */
export function coverageFact(at: SeenAt, seen: Coverage, overdueExemptions: number | undefined): CoverageFact {
  const { tables, mapped, nonPersonal, unclassified, otherDatabases } = seen;
  return known<CoverageFact>({ ...interval(at), tables, mapped, nonPersonal, unclassified, overdueExemptions, undeclaredDatabases: otherDatabases && [...otherDatabases] });
}

/** @param oldestDueAt when the oldest due row became due, which is the end of its period and not its start time */
export function retentionCount(seen: SeenCount, oldestDueAt: string | undefined): RetentionCount {
  const { collection: name, due, held, floored: blockedByMinimum, indeterminate, exact } = seen;
  return known<RetentionCount>({ name, due, held, blockedByMinimum, indeterminate, oldestDueAt: secondsOf(oldestDueAt), exact });
}

/**
 * What is told about a hold. Matter, custodian and reference stay behind: only whether they are stated goes in.
 *
 * @param store the store under evaluation, which the hold reaches
 * @param otherDeleters what was seen in that store deleting on its own; undefined when nobody looked
 */
export function holdInput(hold: LegalHold, store: { namespace: string; name: string }, otherDeleters: readonly string[] | undefined): HoldInput {
  const { basis, custodian, reviewAt, scope } = hold.spec;
  return known<HoldInput>({
    name: `${hold.metadata.namespace ?? ''}/${hold.metadata.name}`,
    state: hold.status?.state ?? 'Pending',
    reviewAt: secondsOf(reviewAt),
    custodianNamed: custodian.trim() !== '',
    // Without the law it rests on, a basis says nothing about whether the order binds.
    basisStated: basis.reference.trim() !== '' && basis.jurisdiction !== undefined,
    jurisdiction: basis.jurisdiction,
    blanket: scope.some(({ collections, clients, subjects, between }) => collections.all !== undefined && clients.all !== undefined && subjects === undefined && between === undefined),
    enforced: enforcedIn(hold, store),
    otherDeleters: otherDeleters && [...otherDeleters],
  });
}

/** Whether the present scope of the hold stands in the store. The list in the status shows stores that lack it first. */
function enforcedIn({ metadata, status }: LegalHold, store: { namespace: string; name: string }): boolean | undefined {
  if (status?.revision === undefined || status.revision !== metadata.generation) return undefined;
  const entry = status.stores?.find(({ namespace, name }) => namespace === store.namespace && name === store.name);
  if (entry !== undefined) return entry.enforcedSince !== undefined;
  return status.state === 'Active' && (status.truncated ?? 0) > 0 ? true : undefined;
}

/** Seconds since 1970 of an instant or a date, rounded down; undefined for text that is neither. */
export function secondsOf(text: string | undefined): number | undefined {
  const millis = text === undefined ? NaN : Date.parse(text);
  return Number.isNaN(millis) ? undefined : Math.floor(millis / 1000);
}

function interval({ observedAt, validUntil }: SeenAt): { observedAt: number; validUntil: number } {
  // An observation whose time cannot be read was never valid.
  return { observedAt: secondsOf(observedAt) ?? 0, validUntil: secondsOf(validUntil) ?? 0 };
}

/** Leaves out what is undefined: JSON would as well, but the types say "absent". */
function known<T extends object>(fields: { [K in keyof T]-?: T[K] | undefined }): T {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as T;
}
