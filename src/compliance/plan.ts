import type { DataStore } from '../api/generated/dataStore.ts';
import type { LegalHold } from '../api/generated/legalHold.ts';
import type { PurgeRun } from '../api/generated/purgeRun.ts';
import type { RetentionPolicy } from '../api/generated/retentionPolicy.ts';
import { POLICY_UID_LABEL } from '../api/kinds.ts';
import { COUNTS_VALID_MS, validUntil, type Readings } from '../connect/readings.ts';
import type { CollectionInput, FactsInput, HoldInput, ParamsInput, PolicyInput, PurgeInput, RetentionFact, TransportFact } from '../policy/input.ts';
import { coverage } from '../rules/coverage.ts';
import { nextMidnight } from '../rules/cutoff.ts';
import type { EffectiveCollection } from '../rules/effective.ts';
import { oldestDueSince, policyKey } from '../rules/effective.ts';
import { latestRuns } from '../rules/latest-runs.ts';
import { inertBecause } from '../rules/ruleset.ts';
import { nextSlot } from '../rules/schedule.ts';
import type { StoreRules } from '../rules/store-rules.ts';

/** Everything a judgement of one store rests on. */
export interface Evidence {
  store: DataStore;
  readings?: Readings;
  /** Those in force. */
  holds: readonly LegalHold[];
  policies: readonly RetentionPolicy[];
  runs: readonly PurgeRun[];
  params: ParamsInput;
  /** Milliseconds. */
  now: number;
}

const seconds = (millis: number): number => Math.floor(millis / 1000);
const instant = (text: string | undefined): number | undefined => {
  const at = text === undefined ? Number.NaN : Date.parse(text);
  return Number.isNaN(at) ? undefined : seconds(at);
};

/** Writes down for the policies what is known. What is not known is left out, and what is left out never passes. Pure. */
export function policyInput(evidence: Evidence): PolicyInput {
  const { store, readings, now } = evidence;
  const rules = readings?.rules;
  return {
    now: seconds(now),
    store: {
      name: store.metadata.name,
      namespace: store.metadata.namespace ?? '',
      engine: store.spec.engine,
      residency: { country: store.spec.residency.country, ...(store.spec.residency.region ? { region: store.spec.residency.region } : {}) },
    },
    facts: factsInput(store, readings, now),
    ...(rules ? { collections: rules.effective.map(collectionInput) } : {}),
    holds: evidence.holds.map((hold) => holdInput(hold, store, readings)),
    purges: evidence.policies.filter((policy) => policy.spec.maximum).map((policy) => purgeInput(policy, store, evidence.runs, rules && governedBy(policy, rules), readings?.counts)),
    params: evidence.params,
  };
}

function factsInput(store: DataStore, readings: Readings | undefined, now: number): FactsInput {
  const { transport, inventory, counts, rules } = readings ?? {};
  const { transportSeconds, inventorySeconds } = store.spec.observation;
  return {
    ...(transport ? { transport: transportFact(transport, validUntil(transport.at, transportSeconds)) } : {}),
    ...(inventory && rules
      ? {
          coverage: {
            observedAt: seconds(inventory.at),
            validUntil: seconds(validUntil(inventory.at, inventorySeconds)),
            ...coverageCounts(inventory, rules),
            overdueExemptions: rules.maps.flatMap((map) => map.spec.nonPersonal ?? []).filter((entry) => Date.parse(entry.reviewAt) < now).length,
            undeclaredDatabases: inventory.inventory.otherDatabases.toSorted(),
          },
        }
      : {}),
    ...(counts ? { retention: retentionFact(counts, rules?.effective ?? []) } : {}),
  };
}

function coverageCounts(inventory: NonNullable<Readings['inventory']>, rules: NonNullable<Readings['rules']>): { tables: number; mapped: number; nonPersonal: number; unclassified: number } {
  const { tables = 0, mapped = 0, nonPersonal = 0, unclassified = 0 } = coverage(inventory.inventory, rules.resolved, rules.maps);
  return { tables, mapped, nonPersonal, unclassified };
}

const KEY_TYPES: Readonly<Record<string, 'RSA' | 'EC' | 'Ed25519' | 'Ed448' | 'DSA'>> = { rsa: 'RSA', 'rsa-pss': 'RSA', ec: 'EC', ed25519: 'Ed25519', ed448: 'Ed448', dsa: 'DSA' };
const VERSIONS: Readonly<Record<string, 'TLSv1' | 'TLSv1.1' | 'TLSv1.2' | 'TLSv1.3'>> = { 'TLSv1.0': 'TLSv1', 'TLSv1.1': 'TLSv1.1', 'TLSv1.2': 'TLSv1.2', 'TLSv1.3': 'TLSv1.3' };

function transportFact({ at, facts, sessions }: NonNullable<Readings['transport']>, until: number): TransportFact {
  const version = facts.version === undefined ? undefined : VERSIONS[facts.version];
  const decided = (names: readonly string[]): boolean | undefined => {
    if (names.some((name) => facts.accepted.includes(name))) return false;
    return names.every((name) => facts.refused.includes(name)) ? true : undefined;
  };
  const legacyRefused = decided(['TLSv1.0', 'TLSv1.1']);
  const tls12Refused = decided(['TLSv1.2']);
  const { certificate } = facts;
  const keyType = certificate && KEY_TYPES[certificate.keyType.toLowerCase()];
  const notBefore = instant(certificate?.notBefore);
  const notAfter = instant(certificate?.notAfter);
  return {
    observedAt: seconds(at),
    validUntil: seconds(until),
    ...(version ? { version } : {}),
    ...(facts.plaintextRefused === undefined ? {} : { plaintextRefused: facts.plaintextRefused }),
    ...(legacyRefused === undefined ? {} : { legacyRefused }),
    ...(tls12Refused === undefined ? {} : { tls12Refused }),
    ...(sessions && (sessions.complete || sessions.plaintext > 0) ? { livePlaintextSessions: sessions.plaintext } : {}),
    ...(sessions ? { pooler: !sessions.own.tls || !sessions.own.serverAddressMatches } : {}),
    ...(certificate
      ? {
          certificate: {
            ...(notBefore === undefined ? {} : { notBefore }),
            ...(notAfter === undefined ? {} : { notAfter }),
            ...(keyType ? { keyType } : {}),
            // Kinds of keys without a known strength come as 0.
            ...(certificate.keyBits > 0 ? { keyBits: certificate.keyBits } : {}),
            trusted: certificate.trusted,
            nameMatches: certificate.nameMatches,
          },
        }
      : {}),
  };
}

function retentionFact({ at, counts }: NonNullable<Readings['counts']>, effective: readonly EffectiveCollection[]): RetentionFact {
  const byId = new Map(effective.map((each) => [each.collection.id, each]));
  return {
    observedAt: seconds(at),
    validUntil: seconds(at + COUNTS_VALID_MS),
    collections: counts.map((count) => {
      const oldestDueAt = instant(oldestDueSince(byId.get(count.collection), count.oldestDue));
      return {
        name: count.collection,
        due: count.due,
        held: count.held,
        blockedByMinimum: count.floored,
        blockedByReference: count.blocked,
        blockedForever: count.blockedForever,
        indeterminate: count.indeterminate,
        exact: count.exact,
        ...(oldestDueAt === undefined ? {} : { oldestDueAt }),
      };
    }),
  };
}

function collectionInput(each: EffectiveCollection): CollectionInput {
  const winner = each.maxima[0]?.policy;
  const policies = [...each.maxima, ...each.minimums].map((rule) => rule.policy).concat(each.losers.map((loser) => loser.policy));
  return {
    name: each.collection.id,
    categories: [...new Set([...each.collection.categories, ...each.collection.fieldCategories])].toSorted(),
    // A maximum that can make no row due limits nothing, and its count of due rows would always be a clean 0.
    hasMaximum: each.maxima.length > 0 && inertBecause(each) === undefined,
    hasMinimum: each.minimums.length > 0,
    startEventResolved: each.withoutStartEvent.length === 0 && each.withoutColumn.length === 0,
    conflicted: each.conflict !== undefined,
    ...(winner ? { maximumFrom: policyKey(winner) } : {}),
    policies: [...new Set(policies.map(policyKey))].toSorted(),
  };
}

function holdInput(hold: LegalHold, store: DataStore, readings: Readings | undefined): HoldInput {
  const standing = hold.status?.stores?.find((each) => each.namespace === store.metadata.namespace && each.name === store.metadata.name);
  const reviewAt = instant(hold.spec.reviewAt);
  return {
    name: `${hold.metadata.namespace}/${hold.metadata.name}`,
    state: hold.status?.state ?? 'Pending',
    ...(reviewAt === undefined ? {} : { reviewAt }),
    custodianNamed: hold.spec.custodian !== '',
    basisStated: hold.spec.basis.reference !== '' && hold.spec.basis.jurisdiction !== undefined,
    ...(hold.spec.basis.jurisdiction ? { jurisdiction: hold.spec.basis.jurisdiction } : {}),
    blanket: hold.spec.scope.some((block) => block.collections.all !== undefined && block.clients.keys === undefined && block.subjects === undefined && block.between === undefined),
    // The list in the status is cut off: a store that is not named in it is not known to be without the hold.
    ...(standing || !hold.status?.truncated ? { enforced: standing?.enforcedSince !== undefined && hold.status?.observedGeneration === hold.metadata.generation } : {}),
    ...(readings?.inventory ? { otherDeleters: readings.inventory.inventory.otherDeleters.toSorted() } : {}),
  };
}

function governedBy(policy: RetentionPolicy, { effective }: StoreRules): ReadonlySet<string> {
  return new Set(effective.filter(({ maxima }) => maxima.some((rule) => rule.policy.uid === policy.metadata.uid)).map(({ collection }) => collection.id));
}

/** @param governed collections the policy has the deciding maximum of; absent: not known. */
function purgeInput(policy: RetentionPolicy, store: DataStore, runs: readonly PurgeRun[], governed: ReadonlySet<string> | undefined, counts: Readings['counts']): PurgeInput {
  const purge = policy.spec.purge;
  const own = runs.filter((run) => run.metadata.labels?.[POLICY_UID_LABEL] === policy.metadata.uid && run.spec.store === store.metadata.name && run.metadata.namespace === store.metadata.namespace);
  const latest = latestRuns(own, governed);
  const lastVerifiedAt = verifiedUntil(own, latest, governed);
  const nothingDueAt = nothingDue(governed, counts);
  // Where nothing is due a slot makes no run, and the policy is no later for it; rows become due at midnight only.
  const clearUntil = nothingDueAt === undefined ? 0 : nextMidnight(nothingDueAt * 1000, policy.spec.timeZone);
  const since = Math.max((lastVerifiedAt ?? instant(policy.metadata.creationTimestamp) ?? 0) * 1000, clearUntil);
  const state = (latest.find((run) => run.status?.state === 'Failed') ?? latest.at(-1))?.status?.state;
  const started = latestRuns(own.filter((run) => run.status?.startedAt !== undefined), governed);
  const held = allOf(started.map((run) => run.status?.verification?.heldUnchanged));
  return {
    policy: `${policy.metadata.namespace}/${policy.metadata.name}`,
    mode: purge?.mode ?? 'None',
    suspended: purge?.suspend ?? false,
    attempted: started.length > 0,
    ...(lastVerifiedAt === undefined ? {} : { lastVerifiedAt }),
    ...(nothingDueAt === undefined ? {} : { nothingDueAt }),
    ...(state ? { lastState: state } : {}),
    ...(purge ? { nextDueAt: seconds(nextSlot({ cron: purge.schedule.cron, timeZone: policy.spec.timeZone, window: purge.schedule.window }, since, policy.metadata.uid ?? '').at) } : {}),
    ...(held === undefined ? {} : { heldUnchanged: held }),
  };
}

/** Seconds: when every collection was last counted, exactly, and none had a due row. A collection that was not counted is not known to have none. */
function nothingDue(governed: ReadonlySet<string> | undefined, counts: Readings['counts']): number | undefined {
  if (!governed || !counts) return undefined;
  const clear = new Set(counts.counts.filter(({ exact, due }) => exact && due === 0).map(({ collection }) => collection));
  return [...governed].every((collection) => clear.has(collection)) ? seconds(counts.at) : undefined;
}

/**
 * Seconds: up to when purging is proven. The newest verification, since a group of tables without due rows gets no run;
 * but where the latest run of a collection did not succeed, only as far as that collection was proven before.
 */
function verifiedUntil(own: readonly PurgeRun[], latest: readonly PurgeRun[], governed: ReadonlySet<string> | undefined): number | undefined {
  const verified = own.filter((run) => run.status?.state === 'Succeeded' && run.status.verification?.level !== 'Claimed');
  const at = (runs: readonly PurgeRun[]): number => Math.max(Number.NEGATIVE_INFINITY, ...runs.map((run) => instant(run.status?.verification?.at) ?? Number.NEGATIVE_INFINITY));
  const open = latest.filter((run) => run.status?.state !== 'Succeeded').flatMap((run) => run.spec.plan.steps.map(({ collection }) => collection));
  const behind = open.filter((collection) => governed?.has(collection) ?? true).map((collection) => at(verified.filter((run) => run.spec.plan.steps.some((step) => step.collection === collection))));
  const until = Math.min(at(verified), ...behind);
  return Number.isFinite(until) ? until : undefined;
}

/** False when one is; undefined when one is not known, or there is none. */
function allOf(values: readonly (boolean | undefined)[]): boolean | undefined {
  if (values.includes(false)) return false;
  return values.length === 0 || values.includes(undefined) ? undefined : true;
}
