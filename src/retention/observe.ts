import type { DataStore } from '../api/generated/dataStore.ts';
import type { PurgeRun } from '../api/generated/purgeRun.ts';
import type { RetentionPolicy } from '../api/generated/retentionPolicy.ts';
import { DATA_STORE, POLICY_UID_LABEL, PURGE_RUN } from '../api/kinds.ts';
import type { StoreFacts } from '../connect/facts.ts';
import { failureOf, type Failure } from '../connect/failures.ts';
import type { EffectiveCollection } from '../rules/effective.ts';
import { covers, storeRules, type Declarations } from '../rules/store-rules.ts';
import type { Client } from '../runtime/client.ts';

/** What a policy means in one of the stores it covers. */
export interface StoreView {
  store: DataStore;
  /** Collections the policy selects there, with winners and losers. */
  effective: EffectiveCollection[];
  failure?: Failure;
}

export interface PolicyObservation {
  views: StoreView[];
  runs: PurgeRun[];
}

/** Reads the stores a policy covers, what it means in each, and the runs it has had. */
export async function observePolicy(policy: RetentionPolicy, declarations: Declarations, context: { client: Client; facts: StoreFacts; now: string }): Promise<PolicyObservation> {
  const [stores, runs] = await Promise.all([
    context.client.list<DataStore>(DATA_STORE),
    context.client.list<PurgeRun>(PURGE_RUN, { labelSelector: `${POLICY_UID_LABEL}=${policy.metadata.uid}` }),
  ]);
  const covered = stores.filter((store) => covers(policy, policy.spec.stores, store, declarations));
  return { views: await Promise.all(covered.map((store) => view(policy, store, declarations, context))), runs };
}

async function view(policy: RetentionPolicy, store: DataStore, declarations: Declarations, context: { facts: StoreFacts; now: string }): Promise<StoreView> {
  try {
    const inventory = await context.facts.inventory(store, store.spec.observation.inventorySeconds * 1000);
    const rules = storeRules(store, declarations, inventory, context.now);
    return { store, effective: rules.effective.filter((each) => concerns(each, policy.metadata.uid ?? '')) };
  } catch (error) {
    return { store, effective: [], failure: failureOf(error) };
  }
}

function concerns(each: EffectiveCollection, uid: string): boolean {
  return [...each.maxima, ...each.minimums].some((rule) => rule.policy.uid === uid) || [...each.losers.map((loser) => loser.policy), ...each.withoutStartEvent, ...each.withoutColumn].some((ref) => ref.uid === uid);
}
