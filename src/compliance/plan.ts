import type { LegalHold } from '../api/generated/legalHold.ts';
import type { PurgeRun } from '../api/generated/purgeRun.ts';
import type { RetentionPolicy } from '../api/generated/retentionPolicy.ts';
import { believed } from '../connect/believed.ts';
import type { Readings } from '../connect/readings.ts';
import type { CollectionInput, HoldInput, ParamsInput, PolicyInput } from '../policy/input.ts';
import { policyKey, type EffectiveCollection } from '../rules/effective.ts';
import { inertBecause } from '../rules/ruleset.ts';
import { standsIn } from '../rules/standing.ts';
import type { StoreRules } from '../rules/store-rules.ts';
import { factsInput, type FactsEvidence } from './facts.ts';
import { instant, seconds } from './instants.ts';
import { governedBy, purgeInput, speaksInVain } from './purges.ts';

/** Everything a judgement of one store rests on. */
export interface Evidence extends FactsEvidence {
  /** Those in force. */
  holds: readonly LegalHold[];
  /** Digest of the maps the store takes by now. */
  maps: string;
  policies: readonly RetentionPolicy[];
  runs: readonly PurgeRun[];
  params: ParamsInput;
}

/** Writes down for the policies what is known. What is not known is left out, and what is left out never passes. Pure. */
export function policyInput(evidence: Evidence): PolicyInput {
  const { store, readings, now } = evidence;
  const rules = readings?.rules;
  // Facts tell the policies until when they count; what follows from the tables has no such time of its own.
  const tablesKnown = readings !== undefined && believed(store, readings, now).inventory?.believed === true;
  return {
    now: seconds(now),
    store: {
      name: store.metadata.name,
      namespace: store.metadata.namespace ?? '',
      engine: store.spec.engine,
      residency: { country: store.spec.residency.country, ...(store.spec.residency.region ? { region: store.spec.residency.region } : {}) },
    },
    facts: factsInput(evidence),
    ...(rules && tablesKnown ? { collections: [...rules.effective.map(collectionInput), ...unresolvedCollections(rules)] } : {}),
    holds: evidence.holds.map((hold) => holdInput(hold, standsIn(hold, store, evidence.maps), tablesKnown ? readings.inventory : undefined)),
    purges: evidence.policies.filter((policy) => policy.spec.maximum).map((policy) => purgeInput(policy, store, evidence.runs, rules && governedBy(policy, rules), countsFor(policy, readings))),
    params: evidence.params,
  };
}

function countsFor(policy: RetentionPolicy, { counts, rules }: Partial<Readings> = {}): Readings['counts'] {
  return rules && (speaksInVain(policy, rules) || unresolvedCollections(rules).length > 0) ? undefined : counts;
}

/** Collections that are declared and that nothing in the store is: left out, they would fail nothing, and the others would pass for all. */
function unresolvedCollections({ maps, effective }: StoreRules): CollectionInput[] {
  const resolved = new Set(effective.map(({ collection }) => JSON.stringify([collection.map.namespace, collection.map.name, collection.name])));
  return maps.flatMap(({ metadata: { namespace = '', name }, spec }) =>
    (spec.collections ?? [])
      .filter((collection) => !resolved.has(JSON.stringify([namespace, name, collection.name])))
      .map((collection) => ({ name: `${namespace}/${name}/${collection.name}`, categories: [...new Set([...collection.categories, ...(collection.fields ?? []).flatMap((field) => field.categories ?? [])])].toSorted() })),
  );
}

function collectionInput(each: EffectiveCollection): CollectionInput {
  const policies = [...each.maxima, ...each.minimums].map((rule) => rule.policy).concat(each.losers.map((loser) => loser.policy));
  return {
    name: each.collection.id,
    categories: [...new Set([...each.collection.categories, ...each.collection.fieldCategories])].toSorted(),
    // A maximum that can make no row due limits nothing, and its count of due rows would always be a clean 0.
    hasMaximum: each.maxima.length > 0 && inertBecause(each) === undefined,
    hasMinimum: each.minimums.length > 0,
    startEventResolved: each.withoutStartEvent.length === 0 && each.withoutColumn.length === 0,
    conflicted: each.conflict !== undefined,
    ...(each.maxima.length > 0 ? { maximaFrom: [...new Set(each.maxima.map((rule) => policyKey(rule.policy)))].toSorted() } : {}),
    policies: [...new Set(policies.map(policyKey))].toSorted(),
  };
}

/** @param enforced undefined: not known */
function holdInput(hold: LegalHold, enforced: boolean | undefined, tables: Readings['inventory']): HoldInput {
  const reviewAt = instant(hold.spec.reviewAt);
  return {
    name: `${hold.metadata.namespace}/${hold.metadata.name}`,
    state: hold.status?.state ?? 'Pending',
    ...(reviewAt === undefined ? {} : { reviewAt }),
    custodianNamed: hold.spec.custodian !== '',
    basisStated: hold.spec.basis.reference !== '' && hold.spec.basis.jurisdiction !== undefined,
    ...(hold.spec.basis.jurisdiction ? { jurisdiction: hold.spec.basis.jurisdiction } : {}),
    blanket: hold.spec.scope.some((block) => block.collections.all !== undefined && block.clients.keys === undefined && block.subjects === undefined && block.between === undefined),
    ...(enforced === undefined ? {} : { enforced }),
    ...(tables ? { otherDeleters: tables.inventory.otherDeleters.toSorted() } : {}),
  };
}
