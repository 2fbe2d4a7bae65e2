import { compareText } from '../api/compare-text.ts';
import type { CollectionRetention, DataStore, DataStoreStatus, FactGroup, StoreRetention, Transport } from '../api/generated/dataStore.ts';
import { believed, type Believed, type Reading } from '../connect/believed.ts';
import type { MapProblem } from '../rules/collections.ts';
import { coverage } from '../rules/coverage.ts';
import type { EffectiveCollection } from '../rules/effective.ts';
import { oldestDueSince, policyKey } from '../rules/effective.ts';
import { inertBecause } from '../rules/ruleset.ts';
import type { StoreRules } from '../rules/store-rules.ts';
import type { CollectionCount } from '../stores/counting.ts';
import type { SessionFacts, StoreIdentity, TransportFacts } from '../stores/facts.ts';
import { storeConditions } from './conditions.ts';
import type { Observation } from './observe.ts';

const WORST = 50;
const LEGACY = ['TLSv1.0', 'TLSv1.1'];

/** @param known what was told before; its watermark is kept where this login may not read the store's. */
function identityStatus(identity: StoreIdentity, known: DataStoreStatus['identity']): NonNullable<DataStoreStatus['identity']> {
  const { fingerprint, server, timeline } = identity;
  const watermark = identity.watermark ?? (known?.fingerprint === fingerprint ? known.watermark : undefined);
  return { fingerprint, server, timeline, ...(watermark === undefined ? {} : { watermark }) };
}

/**
 * What the handshakes and the live sessions showed. A member that could not be decided is absent: whoever reads
 * it must take absence for unknown.
 */
export function transportStatus(facts: TransportFacts, sessions: SessionFacts | undefined): Transport {
  const tried = [...facts.accepted, ...facts.refused];
  const legacyAccepted = facts.accepted.some((version) => LEGACY.includes(version));
  const legacyDecided = legacyAccepted || LEGACY.every((version) => tried.includes(version));
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

/**
 * Totals over all collections, and the worst of them by rows overdue. No totals where a collection is declared whose rule
 * nobody can apply, because a table, a column or a start event is not there, or whose rows cannot be counted: what is left
 * would look like nothing to do.
 */
export function retentionStatus(all: readonly CollectionCount[], { effective, resolved }: Pick<StoreRules, 'effective' | 'resolved'>): StoreRetention {
  const byId = new Map(effective.map((each) => [each.collection.id, each]));
  const counts = all.filter(({ uncounted }) => uncounted === undefined);
  const lost = [...lostCollections(effective, resolved.problems), ...uncountedCollections(all)];
  const rows = [...counts.map((count) => collectionStatus(count, byId.get(count.collection))), ...lost];
  const notable = rows.filter((row) => (row.due ?? 0) + (row.held ?? 0) + (row.blockedByMinimum ?? 0) + (row.blockedByReference ?? 0) + (row.indeterminate ?? 0) > 0 || row.why !== undefined);
  notable.sort((a, b) => (b.due ?? 0) - (a.due ?? 0) || compareText(a.collection, b.collection));
  const oldest = rows.flatMap((row) => row.oldestDue ?? []).toSorted()[0];
  const total = (pick: (count: CollectionCount) => number): number => counts.reduce((sum, count) => sum + pick(count), 0);
  const totals = {
    due: total((count) => count.due),
    held: total((count) => count.held),
    blockedByMinimum: total((count) => count.floored),
    blockedByReference: total((count) => count.blocked),
    blockedForever: total((count) => count.blockedForever),
    indeterminate: total((count) => count.indeterminate),
  };
  return {
    ...(lost.length > 0 || effective.some(lacksStartEvent) ? {} : totals),
    ...(oldest ? { oldestDue: oldest } : {}),
    worst: notable.slice(0, WORST),
    truncated: Math.max(0, notable.length - WORST),
  };
}

/** Declared, and not in the store: each with what its map is told. */
function lostCollections(effective: readonly EffectiveCollection[], problems: readonly MapProblem[]): CollectionRetention[] {
  const known = new Set(effective.map((each) => each.collection.id));
  const lost = new Map(problems.filter(({ collection }) => !known.has(collection)).map(({ collection, message }) => [collection, message]));
  return [...lost].map(([collection, why]) => ({ collection, why }));
}

function uncountedCollections(counts: readonly CollectionCount[]): CollectionRetention[] {
  return counts.flatMap(({ collection, uncounted }) => (uncounted ? [{ collection, why: `not counted: ${uncounted.message}`.slice(0, 1_024) }] : []));
}

/** A policy speaks of its rows, and by nothing that is there. */
function lacksStartEvent({ withoutStartEvent, withoutColumn }: EffectiveCollection): boolean {
  return withoutStartEvent.length + withoutColumn.length > 0;
}

function collectionStatus(count: CollectionCount, effective: EffectiveCollection | undefined): CollectionRetention {
  const policy = effective?.maxima[0]?.policy;
  const since = oldestDueSince(effective, count.oldestDue);
  const why = [effective && inertBecause(effective), effective?.conflict, unreadableBecause(count), count.exact ? undefined : 'counted within a budget: at least these rows', effective?.withoutStartEvent.length ? 'a policy selects it whose start event it does not declare, or whose column is not there or of another type' : undefined, effective?.withoutColumn.length ? 'a policy speaks of a column it does not have' : undefined, blockedBecause(count)].find((text) => text !== undefined);
  return {
    collection: count.collection,
    ...(policy ? { policy: policyKey(policy) } : {}),
    due: count.due,
    held: count.held,
    blockedByMinimum: count.floored,
    blockedByReference: count.blocked,
    blockedForever: count.blockedForever,
    indeterminate: count.indeterminate,
    ...(since ? { oldestDue: since } : {}),
    ...(why ? { why } : {}),
  };
}

function unreadableBecause({ unreadable }: CollectionCount): string | undefined {
  return unreadable ? `${unreadable} values of its rules, or of holds on it, cannot be read in their column's type: a rule finds no row by them, and a hold or minimum with one keeps every row; correct the policy, the hold or the data map` : undefined;
}

function blockedBecause({ blocked, blockedForever }: CollectionCount): string | undefined {
  if (blockedForever > 0) return 'rows without a maximum refer to some of its rows and keep them for ever; give the collections that refer to it a maximum';
  return blocked > 0 ? 'rows that refer to some of its rows are not due or are kept, and they keep these' : undefined;
}

function factGroup(group: string, reading: Reading | undefined, message?: string): FactGroup {
  return {
    group,
    ...(reading ? { observedAt: new Date(reading.at).toISOString(), validUntil: new Date(reading.until).toISOString() } : {}),
    grade: 'Measured',
    ...(message ? { message } : {}),
  };
}

/** The whole status after a look. Conditions that others own are passed through. */
export function dataStoreStatus(store: DataStore, observation: Observation, now: number): DataStoreStatus {
  const { transport, inventory, counts, rules, verdict, identity } = observation;
  const known = believed(store, observation, now);
  const facts = [
    factGroup('transport', known.transport, observation.probeFailure?.message),
    factGroup('coverage', known.inventory, observation.failure?.message),
    factGroup('retention', known.counts, observation.failure?.message),
  ];
  const until = goodUntil(known, now);
  const accepted = verdict !== undefined && !('message' in verdict);
  // What was not read now, or of this generation, is not known any more: an old figure here would look like a fact.
  const { transport: _transport, coverage: _coverage, retention: _retention, validUntil: _validUntil, ...previous } = store.status ?? {};
  return {
    ...previous,
    observedGeneration: store.metadata.generation ?? 0,
    conditions: storeConditions(store, observation, known, now),
    ...(until === undefined ? {} : { validUntil: new Date(until).toISOString() }),
    ...(identity && accepted ? { identity: identityStatus(identity, store.status?.identity) } : {}),
    ...(transport && known.transport?.believed ? { transport: transportStatus(transport.facts, transport.sessions) } : {}),
    ...(inventory && rules && known.inventory?.believed ? { coverage: coverage(inventory.inventory, rules.resolved, rules.maps) } : {}),
    ...(counts && rules && known.counts?.believed ? { retention: retentionStatus(counts.counts, rules) } : {}),
    facts,
  };
}

/** When the first of the groups that count stops to; where none does, when the last of them stopped. Nothing for times of a wrong clock. */
function goodUntil(known: Believed, now: number): number | undefined {
  const groups = [known.transport, known.inventory, known.counts].filter((group) => group !== undefined);
  const good = groups.filter((group) => group.believed).map(({ until }) => until);
  const over = groups.map(({ until }) => until).filter((until) => until < now);
  if (good.length > 0) return Math.min(...good);
  return over.length > 0 ? Math.max(...over) : undefined;
}
