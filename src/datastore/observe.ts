import type { DataStore } from '../api/generated/dataStore.ts';
import { semanticFindings } from '../api/validation/semantic.ts';
import { canonicalDigest } from '../evidence/canonical.ts';
import { countAt } from '../connect/counting-reader.ts';
import { failureOf, type Failure } from '../connect/failures.ts';
import type { StoreFacts } from '../connect/facts.ts';
import { ensureFence } from '../connect/install.ts';
import type { Readings } from '../connect/readings.ts';
import type { StoreConnections } from '../connect/stores.ts';
import type { EffectiveCollection } from '../rules/effective.ts';
import { undeclaredDatabases } from '../rules/neighbours.ts';
import { clockProblem } from '../rules/clocks.ts';
import { ruleset } from '../rules/ruleset.ts';
import { storeRules, type Declarations } from '../rules/store-rules.ts';
import { normalRule, type NormalRule } from '../rules/weakening.ts';
import type { StoreIdentity } from '../stores/facts.ts';
import type { FenceState } from '../stores/fence.ts';
import type { StoreReader } from '../stores/port.ts';
import type { UndoneDrop } from '../stores/purging.ts';
import { judgeTarget, type TargetVerdict } from '../rules/target.ts';
import { noteFailure, rightsOf, tryOthers, type Logins } from './logins.ts';
import { dueReadings } from './plan.ts';
import { workTables, type WorkTables } from './work-tables.ts';

/** One look at a store: what was read now or is still fresh, and what could not be read. */
export interface Observation extends Readings {
  identity?: StoreIdentity;
  verdict?: TargetVerdict;
  /** The operator's schema was installed or is there. */
  installed: boolean;
  /** The tables could not be read at this look; what stands of them is of an earlier one. */
  unread?: true;
  /** What stands in the store's own fence, as read at this look. */
  fence?: Pick<FenceState, 'frozen'>;
  /** What became of drops that runs left open which are over. */
  undone?: UndoneDrop[];
  /** What kept the look from being complete. */
  failure?: Failure;
  probeFailure?: Failure;
  /** What trying the identities showed, each at this look. */
  logins: Logins;
}

export interface ObserveContext {
  connections: StoreConnections;
  facts: StoreFacts;
  declarations: Declarations;
  /** Every DataStore of the cluster. */
  stores: readonly DataStore[];
  /** Names this installation in the stores it owns. */
  owner: string;
  now: () => number;
  lastPurgeEnd?: number;
  /** Uids of runs that are not over; absent: not known, and nothing that one left detached is touched. */
  openRuns?: ReadonlySet<string>;
  signal: AbortSignal;
}

/**
 * Looks at a store: the wire first, without trust; then its identity; then, only if it is the store it was, its
 * tables and rows. Readings that are fresh enough are taken over. One group that fails leaves the others standing.
 */
export async function observe(store: DataStore, before: Readings | undefined, context: ObserveContext): Promise<Observation> {
  const generation = store.metadata.generation ?? 0;
  // Another generation may mean another server: nothing read before is about it.
  const standing: Readings = before?.generation === generation ? readingsOf(before) : { generation };
  const observation: Observation = { ...standing, installed: false, logins: {} };
  const [invalid] = semanticFindings(store);
  if (invalid) return { ...observation, failure: { reason: 'InvalidSpec', message: `${invalid.path}: ${invalid.message}` } };
  const stale = dueReadings(store, lastOf(standing), { now: context.now(), rules: standing.counts?.rules ?? '' });
  if (stale.transport) await probe(store, observation, context);
  try {
    await look(store, observation, context);
  } catch (error) {
    observation.failure = failureOf(error);
    noteFailure(observation.logins, 'observe', error);
  }
  if (mayTryOthers(observation)) await tryOthers(store, observation.logins, tablesOf(observation, context)?.judge, context);
  return observation;
}

/** A store that is not the one it was, or that tells another time, says nothing of anybody's rights. */
function mayTryOthers({ verdict, failure, logins }: Observation): boolean {
  return logins.observe !== undefined && !(verdict && 'message' in verdict) && failure?.reason !== 'ClockSkew';
}

/** Tables whose rights are asked for; undefined where they were not read at this look. */
function tablesOf({ inventory, rules, unread }: Observation, context: ObserveContext): WorkTables | undefined {
  return inventory && rules && !unread ? workTables(rules, inventory.inventory, new Date(context.now()).toISOString()) : undefined;
}

/** Only what was read: a failure carried along from the last look would never be got rid of. */
function readingsOf({ generation, transport, inventory, counts, rules }: Readings): Readings {
  return { generation, ...(transport ? { transport } : {}), ...(inventory ? { inventory } : {}), ...(counts ? { counts } : {}), ...(rules ? { rules } : {}) };
}

async function probe(store: DataStore, observation: Observation, context: ObserveContext): Promise<void> {
  try {
    const at = context.now();
    observation.transport = { at, facts: await context.connections.probe(store, at) };
  } catch (error) {
    delete observation.transport;
    observation.probeFailure = failureOf(error);
  }
}

async function look(store: DataStore, observation: Observation, context: ObserveContext): Promise<void> {
  const reader = await context.connections.reader(store, 'observe', context.signal);
  try {
    observation.identity = await reader.identity();
    observation.verdict = judgeTarget(store, observation.identity);
    const skewed = clockProblem(await reader.clock(), context.now());
    if (skewed !== undefined) {
      forgetAll(observation);
      observation.failure = { reason: 'ClockSkew', message: `${skewed}, and nothing that was read of the store is believed` };
      return;
    }
    if (observation.transport) observation.transport = { ...observation.transport, sessions: await reader.sessions() };
    if ('message' in observation.verdict) return forgetTables(observation);
    try {
      await readTables(store, observation, reader, context);
    } catch (error) {
      const failure = failureOf(error);
      // A host that is gone would be waited for once more.
      if (failure.reason === 'Unreachable') throw error;
      // Holds need the schema all the same.
      observation.unread = true;
      observation.failure = failure;
    }
    const tables = tablesOf(observation, context);
    observation.logins.observe = await rightsOf(reader, tables && { read: tables.observe });
    try {
      await install(store, observation, tables, context);
    } catch (error) {
      // What may not be changed can still be looked at.
      observation.failure ??= failureOf(error);
      noteFailure(observation.logins, 'enforce', error);
    }
    if ('message' in observation.verdict) return forgetTables(observation);
    if (!observation.unread) await readCounts(store, observation, reader, context);
  } finally {
    await reader.close();
  }
}

/** Tables and counts read before are those of another store, or of another time. */
function forgetTables(observation: Observation): void {
  delete observation.inventory;
  delete observation.rules;
  delete observation.counts;
}

/** By a wrong clock nobody knows how old anything is: times hours ahead would make a dead operator look alive. */
function forgetAll(observation: Observation): void {
  forgetTables(observation);
  delete observation.transport;
}

/** Without an enforcing identity nothing in the store is ever changed, not even a schema of our own added. */
async function install(store: DataStore, observation: Observation, tables: WorkTables | undefined, context: ObserveContext): Promise<void> {
  if (!store.spec.credentials.enforce) return;
  const writer = await context.connections.writer(store, context.signal);
  try {
    // The name may lead elsewhere since the reader went there: what answers now is judged for itself, and nothing is put into it before.
    observation.identity = await writer.identity();
    observation.verdict = judgeTarget(store, observation.identity);
    if ('message' in observation.verdict) return;
    await ensureFence(store, writer, context.connections, context.owner);
    observation.installed = true;
    observation.identity = await writer.identity();
    observation.logins.enforce ??= await rightsOf(writer, tables && { read: tables.judge, remove: tables.enforce });
    const { owner, openRuns } = context;
    if (openRuns) observation.undone = await writer.undoDrops({ owner, of: (run) => !openRuns.has(run) });
  } finally {
    await writer.close();
  }
}

async function readTables(store: DataStore, observation: Observation, reader: StoreReader, context: ObserveContext): Promise<void> {
  const due = dueReadings(store, lastOf(observation), { now: context.now(), rules: observation.counts?.rules ?? '' });
  if (due.inventory || !observation.inventory) {
    const found = await reader.inventory();
    const inventory = { ...found, otherDatabases: undeclaredDatabases(store, found.otherDatabases, context.stores) };
    observation.inventory = { at: context.now(), inventory };
    context.facts.remember(store, inventory);
  }
  observation.rules = storeRules(store, context.declarations, observation.inventory.inventory, new Date(context.now()).toISOString());
}

async function readCounts(store: DataStore, observation: Observation, reader: StoreReader, context: ObserveContext): Promise<void> {
  const rules = observation.rules;
  if (!rules) return;
  const fence = await reader.fence();
  observation.fence = fence?.frozen ? { frozen: fence.frozen } : {};
  const digest = canonicalDigest([rules.effective.map(rulesOf), fence?.holdsRevision ?? 0]);
  const due = dueReadings(store, lastOf(observation), { now: context.now(), rules: digest, ...(context.lastPurgeEnd === undefined ? {} : { lastPurgeEnd: context.lastPurgeEnd }) });
  const before = due.counts ? undefined : observation.counts;
  // A right that was granted since is to be seen at the next look, and not a day later.
  const again = before?.counts.flatMap(({ collection, uncounted }) => (uncounted ? [collection] : []));
  if (again?.length === 0) return;
  // Under other rules or holds the figures of before prove nothing, also where no new ones can be had.
  if (observation.counts?.rules !== digest) delete observation.counts;
  const at = context.now();
  const now = new Date(at).toISOString();
  const budgetMs = store.spec.observation.counts.budgetSeconds * 1000;
  const counts = await countAt(store, reader, (counter) => counter.count({ rules: ruleset(rules.effective, { now }), now, budgetMs, ...(again ? { collections: again } : {}) }), context);
  observation.counts = before ? { ...before, counts: before.counts.map((old) => counts.find(({ collection }) => collection === old.collection) ?? old) } : { at, rules: digest, counts };
}

/** What of a collection's rules decides which rows are due: those of every policy whose maximum counts there. */
function rulesOf(each: EffectiveCollection): NormalRule[] {
  const policies = new Set(each.maxima.map((rule) => rule.policy.uid));
  return [...(policies.size > 0 ? policies : [''])].toSorted().map((uid) => normalRule(each, uid));
}

function lastOf(readings: Readings): { transport?: number; inventory?: number; counts?: number; countedRules?: string } {
  return {
    ...(readings.transport ? { transport: readings.transport.at } : {}),
    ...(readings.inventory ? { inventory: readings.inventory.at } : {}),
    ...(readings.counts ? { counts: readings.counts.at, countedRules: readings.counts.rules } : {}),
  };
}
