import type { ComplianceProfile } from '../api/generated/complianceProfile.ts';
import type { DataStore } from '../api/generated/dataStore.ts';
import type { PurgeRun } from '../api/generated/purgeRun.ts';
import { COMPLIANCE_PROFILE, DATA_STORE } from '../api/kinds.ts';
import type { DeclarationSource } from '../connect/declarations.ts';
import type { EntryPointRegister } from '../connect/entry-points.ts';
import type { ReadingsRegister } from '../connect/readings.ts';
import type { Engine } from '../policy/engine.ts';
import { answerHolds } from '../policy/horizon.ts';
import { resolveParameters } from '../policy/parameters.ts';
import type { Demands } from '../policy/profiles.ts';
import type { ControlResult } from '../policy/result.ts';
import { controlsInScope } from '../policy/scope.ts';
import { acceptedMaps, mapsDigest } from '../rules/attach.ts';
import { covers, holdsReaching, type Declarations } from '../rules/store-rules.ts';
import { announce } from '../runtime/announce.ts';
import type { Client } from '../runtime/client.ts';
import type { Clock } from '../runtime/clock.ts';
import type { Reconcile } from '../runtime/controller.ts';
import { done, requeueAfter } from '../runtime/result.ts';
import type { EventRecorder } from '../runtime/events.ts';
import { updateStatus } from '../runtime/status.ts';
import type { WriteBarrier } from '../runtime/write-barrier.ts';
import type { DomainMetrics } from '../telemetry/metrics.ts';
import { forgetResults, recordResults } from './metrics.ts';
import { policyInput } from './plan.ts';
import { profilesAround, requestOf } from './profiles.ts';
import { profileStatus, withCompliant, withoutVerdict } from './status.ts';

export interface ComplianceContext {
  client: Client;
  caches: { stores: { list(): DataStore[] }; runs: { list(namespace?: string): PurgeRun[] }; profiles: { synced(): Promise<void>; list(): ComplianceProfile[] } };
  readings: ReadingsRegister;
  entryPoints: Pick<EntryPointRegister, 'get'>;
  declarations: DeclarationSource;
  engine: Engine;
  rootNamespace: string;
  clock: Clock;
  metrics: DomainMetrics;
  barrier: WriteBarrier;
  events: EventRecorder;
}

/** Facts change without an object changing; a judgement is never older than this. */
const JUDGE_AGAIN_MS = 60_000;

/**
 * Judges stores by what the profiles that reach them ask for together. The profile of the root namespace judges every
 * store and sets their `Compliant` condition; one elsewhere makes this stricter for the stores beside it, and never
 * less strict, and has a score of its own. Where no profile of the root namespace is left, no store has a verdict.
 */
export function createComplianceReconcile(context: ComplianceContext): Reconcile {
  const { engine } = context;

  return async (ref, { signal }) => {
    const profile = await context.client.get<ComplianceProfile>(COMPLIANCE_PROFILE, ref);
    await context.caches.profiles.synced();
    if (!profile || profile.metadata.deletionTimestamp) {
      if (ref.namespace === context.rootNamespace && !judgedWithout(ref.name)) await takeVerdictsBack(signal);
      return done();
    }
    const declarations = await context.declarations.read();
    const around = profilesAround(engine.catalogue, profile, context.caches.profiles.list(), context.rootNamespace);
    const request = requestOf(profile);
    const scope = controlsInScope(engine.catalogue, request);
    const { problems } = resolveParameters(engine.catalogue, request.parameters, around.above?.written);
    const { controls } = around.demandsOn(profile.metadata.namespace);
    const results: ControlResult[] = [];
    const unseen: string[] = [];
    let holdsUntil = Number.POSITIVE_INFINITY;
    for (const store of judged(profile)) {
      if (!context.readings.get(store.metadata.uid ?? '')) unseen.push(`${store.metadata.namespace}/${store.metadata.name}`);
      const now = context.clock.now();
      const demands: Demands = around.demandsOn(store.metadata.namespace);
      const input = policyInput({ ...evidenceOf(store, declarations), params: demands.params, now });
      const begun = context.clock.monotonic();
      const answer = await engine.evaluate(input, demands.controls);
      context.metrics.policySeconds.observe({ policy: 'all' }, (context.clock.monotonic() - begun) / 1000);
      // What only a profile beside the store asks for is in the score of that one.
      results.push(...answer.filter((result) => controls.includes(result.control)));
      holdsUntil = Math.min(holdsUntil, answerHolds(input) * 1000);
      if (setsConditions(profile)) await setCompliant(store, answer, signal);
    }
    const now = context.clock.now();
    const report = { controls, results, unseen, problems: [...scope.problems, ...problems.map((problem) => problem.message)], ...(around.loosened ? { loosened: around.loosened } : {}), holdsUntil };
    const profiled = await updateStatus<ComplianceProfile>(context.client, COMPLIANCE_PROFILE, ref, (current) => profileStatus(current, report, engine.catalogue, engine.digest, now), { uid: profile.metadata.uid, barrier: context.barrier, signal });
    announce(context.events, profile.status?.conditions, profiled, 'Evaluate');
    if (setsConditions(profile)) recordResults(context.metrics, profile, engine.catalogue, report);
    return requeueAfter(Math.max(1_000, Math.min(JUDGE_AGAIN_MS, holdsUntil - now)));
  };

  function evidenceOf(store: DataStore, declarations: Declarations): Omit<Parameters<typeof policyInput>[0], 'params' | 'now'> {
    const readings = context.readings.get(store.metadata.uid ?? '');
    return {
      store,
      // Readings of another generation may be of another server.
      ...(readings && readings.generation === store.metadata.generation ? { readings } : {}),
      entryPoints: namespacesOf(store, declarations).map((namespace) => context.entryPoints.get(namespace)),
      holds: holdsReaching(store, declarations),
      maps: mapsDigest(acceptedMaps(store, declarations.maps, declarations.namespaces)),
      policies: declarations.policies.filter((policy) => covers(policy, policy.spec.stores, store, declarations)),
      runs: context.caches.runs.list(store.metadata.namespace),
    };
  }

  /** Where data of the store is declared, and so is worked with. */
  function namespacesOf(store: DataStore, { maps, namespaces }: Declarations): string[] {
    return [...new Set([store, ...acceptedMaps(store, maps, namespaces)].map(({ metadata }) => metadata.namespace ?? ''))];
  }

  function judged(profile: ComplianceProfile): DataStore[] {
    const stores = context.caches.stores.list().filter((store) => !store.metadata.deletionTimestamp);
    return setsConditions(profile) ? stores : stores.filter((store) => store.metadata.namespace === profile.metadata.namespace);
  }

  function setsConditions(profile: ComplianceProfile): boolean {
    return profile.metadata.namespace === context.rootNamespace;
  }

  /** Whether another profile of the root namespace judges on when this one is gone. */
  function judgedWithout(name: string): boolean {
    return context.caches.profiles.list().some((each) => setsConditions(each) && each.metadata.name !== name && !each.metadata.deletionTimestamp);
  }

  /** A verdict nobody keeps true would stand as the last one for good, in the status and in the metrics. */
  async function takeVerdictsBack(signal: AbortSignal): Promise<void> {
    forgetResults(context.metrics);
    for (const store of context.caches.stores.list()) {
      const { namespace = '', name, uid } = store.metadata;
      const now = context.clock.now();
      // Not from the cache: that may not show the verdict of a moment ago yet.
      const stored = await updateStatus<DataStore>(context.client, DATA_STORE, { namespace, name }, (current) => withoutVerdict(current, context.rootNamespace, now), { uid, signal });
      announce(context.events, store.status?.conditions, stored, 'Evaluate');
      context.metrics.compliance.remove({ kind: 'DataStore', resource_namespace: namespace, name });
    }
  }

  async function setCompliant(store: DataStore, results: readonly ControlResult[], signal: AbortSignal): Promise<void> {
    const { namespace = '', name, uid } = store.metadata;
    const now = context.clock.now();
    const stored = await updateStatus<DataStore>(context.client, DATA_STORE, { namespace, name }, (current) => withCompliant(current, results, now), { uid, known: store, signal });
    announce(context.events, store.status?.conditions, stored, 'Evaluate');
    const verdict = stored?.status?.conditions?.find((condition) => condition.type === 'Compliant')?.status;
    const labels = { kind: 'DataStore', resource_namespace: namespace, name };
    if (verdict === 'Unknown' || verdict === undefined) context.metrics.compliance.remove(labels);
    else context.metrics.compliance.set(labels, verdict === 'True' ? 1 : 0);
  }
}
