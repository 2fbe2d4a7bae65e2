import type { CollectionRetention, DataStoreStatus, FactGroup, StoreRetention, Transport } from '../api/generated/dataStore.ts';
import type { EffectiveCollection } from '../rules/effective.ts';
import { policyKey } from '../rules/effective.ts';
import type { CollectionCount, SessionFacts, StoreIdentity, TransportFacts } from '../stores/port.ts';

const WORST = 50;
const LEGACY = ['TLSv1', 'TLSv1.1', 'SSLv3'];

export function identityStatus(identity: StoreIdentity): NonNullable<DataStoreStatus['identity']> {
  return { fingerprint: identity.fingerprint, server: identity.server, timeline: identity.timeline };
}

/**
 * What the handshakes and the live sessions showed. A member that could not be decided is absent: whoever reads
 * it must take absence for unknown.
 */
export function transportStatus(facts: TransportFacts, sessions: SessionFacts | undefined): Transport {
  const tried = [...facts.accepted, ...facts.refused];
  const legacyAccepted = facts.accepted.some((version) => LEGACY.includes(version));
  const legacyDecided = legacyAccepted || ['TLSv1', 'TLSv1.1'].every((version) => tried.includes(version));
  return {
    ...(facts.version ? { version: facts.version } : {}),
    ...(facts.cipher ? { cipher: facts.cipher } : {}),
    ...(facts.plaintextRefused === undefined ? {} : { plaintextRefused: facts.plaintextRefused }),
    ...(legacyDecided ? { legacyRefused: !legacyAccepted } : {}),
    ...(facts.certificate ? { certificate: { notAfter: facts.certificate.notAfter, issuer: facts.certificate.issuer, keyBits: facts.certificate.keyBits } } : {}),
    ...(sessions?.complete || (sessions && sessions.plaintext > 0) ? { livePlaintextSessions: sessions.plaintext } : {}),
    ...(sessions ? { pooler: !sessions.own.tls || !sessions.own.serverAddressMatches } : {}),
  };
}

/** Totals over all collections, and the worst of them by rows overdue. */
export function retentionStatus(counts: readonly CollectionCount[], effective: readonly EffectiveCollection[]): StoreRetention {
  const byId = new Map(effective.map((each) => [each.collection.id, each]));
  const rows = counts.map((count) => collectionStatus(count, byId.get(count.collection)));
  const notable = rows.filter((row) => (row.due ?? 0) + (row.held ?? 0) + (row.blockedByMinimum ?? 0) + (row.indeterminate ?? 0) > 0 || row.why !== undefined);
  notable.sort((a, b) => (b.due ?? 0) - (a.due ?? 0) || a.collection.localeCompare(b.collection));
  const oldest = counts.flatMap((count) => (count.oldestDue ? [count.oldestDue] : [])).toSorted()[0];
  const total = (pick: (count: CollectionCount) => number): number => counts.reduce((sum, count) => sum + pick(count), 0);
  return {
    due: total((count) => count.due),
    held: total((count) => count.held),
    blockedByMinimum: total((count) => count.floored),
    indeterminate: total((count) => count.indeterminate),
    ...(oldest ? { oldestDue: oldest } : {}),
    worst: notable.slice(0, WORST),
    truncated: Math.max(0, notable.length - WORST),
  };
}

function collectionStatus(count: CollectionCount, effective: EffectiveCollection | undefined): CollectionRetention {
  const policy = effective?.maxima[0]?.policy;
  const why = [effective?.conflict, count.exact ? undefined : 'counted within a budget: at least these rows', effective?.withoutStartEvent.length ? 'a policy selects it whose start event it does not declare' : undefined].find((text) => text !== undefined);
  return {
    collection: count.collection,
    ...(policy ? { policy: policyKey(policy) } : {}),
    due: count.due,
    held: count.held,
    blockedByMinimum: count.floored,
    indeterminate: count.indeterminate,
    ...(count.oldestDue ? { oldestDue: count.oldestDue } : {}),
    ...(why ? { why } : {}),
  };
}

export function factGroup(group: string, at: number | undefined, until: number, message?: string): FactGroup {
  return {
    group,
    ...(at === undefined ? {} : { observedAt: new Date(at).toISOString(), validUntil: new Date(until).toISOString() }),
    grade: 'Measured',
    ...(message ? { message } : {}),
  };
}
