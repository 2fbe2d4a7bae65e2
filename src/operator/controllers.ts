import { ADDRCONFIG } from 'node:dns';
import { lookup } from 'node:dns/promises';
import type { PurgeRun } from '../api/generated/purgeRun.ts';
import type { OperatorConfig } from '../config.ts';
import { createComplianceReconcile } from '../compliance/reconcile.ts';
import { cachedDeclarations, liveDeclarations } from '../connect/declarations.ts';
import type { EntryPointsReading } from '../connect/entry-points.ts';
import { createStoreFacts } from '../connect/facts.ts';
import type { Readings } from '../connect/readings.ts';
import { createRegister } from '../connect/register.ts';
import { createStoreConnections } from '../connect/stores.ts';
import { createDataMapReconcile } from '../datamap/reconcile.ts';
import { createDataStoreReconcile } from '../datastore/reconcile.ts';
import type { EntryPointContext } from '../entrypoints/observe.ts';
import { askPort } from '../entrypoints/probe.ts';
import { createEntryPointsReconcile } from '../entrypoints/reconcile.ts';
import { createLegalHoldReconcile } from '../holds/reconcile.ts';
import type { Engine } from '../policy/engine.ts';
import { createRetentionPolicyReconcile } from '../retention/reconcile.ts';
import { createPurgeRunReconcile } from '../retention/run/reconcile.ts';
import type { KubeObject } from '../api/object.ts';
import type { Cache } from '../runtime/cache.ts';
import type { Client } from '../runtime/client.ts';
import type { EventRecorder } from '../runtime/events.ts';
import type { Clock } from '../runtime/clock.ts';
import { createController, type Controller, type ControllerOptions, type Reconcile, type Source } from '../runtime/controller.ts';
import { createWriteBarrier, type WriteBarrier } from '../runtime/write-barrier.ts';
import type { StoreDriver, StoreEngine } from '../stores/port.ts';
import type { Logger } from '../telemetry/logger.ts';
import type { Metrics } from '../telemetry/metrics.ts';
import type { Caches } from './caches.ts';
import type { Evidence } from './evidence.ts';
import { forgetDeleted } from './forget.ts';
import { createSources } from './sources.ts';

export interface ControllerParts {
  config: OperatorConfig;
  client: Client;
  caches: Caches;
  evidence: Evidence;
  drivers: Record<StoreEngine, StoreDriver>;
  engine: Engine;
  metrics: Metrics;
  clock: Clock;
  logger: Logger;
  owner: string;
  /** Aborts when this process stops or no longer leads. */
  leaving: AbortSignal;
  events: EventRecorder;
  /** The user name the API server knows us by. */
  actor: string;
  version: string;
  /** How long work under way may go on at the end, and how long one that ignores the abort is waited for. */
  graceMs: number;
  abandonMs: number;
}

/** A stretch of a purge ends itself long before this; only a store that hangs meets the deadline. */
const PURGE_DEADLINE_MS = 900_000;
/** Counting a large store may take its whole budget. */
const OBSERVE_DEADLINE_MS = 900_000;

/** Two hundred entry points of which none answers, at four addresses each, eight at a time. */
const ASK_DEADLINE_MS = 900_000;

/**
 * One profile judges every store in one reconciliation, tens of milliseconds each. Aborted sooner it would begin again
 * from the first store, and never say anything about ten thousand.
 */
const JUDGE_DEADLINE_MS = 1_800_000;

/**
 * Each look at each store is news for the profile. With thousands of them it would judge without a pause; so, past what
 * nobody notices, it rests as long as it worked.
 */
const restAfterJudging = (workedMs: number): number => (workedMs < 1_000 ? 0 : Math.min(workedMs, 60_000));

/** Looking at a store is waiting for it: a few that hang must not keep all others from being looked at. */
const OBSERVE_CONCURRENCY = 16;

/** The list of controllers: one line each says what it watches over. */
export function createControllers(parts: ControllerParts): Controller[] {
  const { client, caches, evidence, clock, config, actor } = parts;
  const sources = createSources(caches);
  const connections = createStoreConnections({ client, drivers: parts.drivers });
  const facts = createStoreFacts({ connections, now: () => clock.now() });
  const readings = createRegister<Readings>();
  const entryPoints = createRegister<EntryPointsReading>();
  forgetDeleted(caches.stores, [facts, readings]);
  const cached = cachedDeclarations(caches, config.rootNamespace);
  const live = liveDeclarations(client, config.rootNamespace);
  const { events } = parts;
  const base = { client, events, connections, facts, clock, actor, rootNamespace: config.rootNamespace, audit: evidence.audit, metrics: parts.metrics.domain };
  const certifier = { client, audit: evidence.audit, key: evidence.key, keep: evidence.keep, kept: evidence.kept, anchor: evidence.anchor, bundleDigest: parts.engine.digest, nameClient: evidence.nameClient, version: parts.version, actor, now: () => clock.now() };
  const controller = <T extends KubeObject>(name: string, watched: Source[], cache: Pick<Cache<T>, 'waitFor'>, create: (barrier: WriteBarrier) => Reconcile, how: Partial<Pick<ControllerOptions, 'deadlineMs' | 'concurrency' | 'restMs'>> = {}): Controller => {
    const barrier = createWriteBarrier(cache);
    return createController({ name, sources: watched, reconcile: create(barrier), logger: parts.logger.child({ controller: name }), clock, concurrency: 4, deadlineMs: 120_000, ...how, graceMs: parts.graceMs, abandonMs: parts.abandonMs, metrics: parts.metrics.runtime, barrier });
  };
  const runs = (namespace: string): PurgeRun[] => caches.runs.list(namespace);

  const judging = controller('complianceprofile', sources.complianceProfiles, caches.profiles, (barrier) => createComplianceReconcile({ ...base, caches, readings, entryPoints, engine: parts.engine, declarations: cached, barrier }), { deadlineMs: JUDGE_DEADLINE_MS, concurrency: 1, restMs: restAfterJudging });
  // No event tells of a profile that was deleted while no process was here; asked for any name, it finds out that none is left.
  judging.enqueue({ namespace: config.rootNamespace, name: 'default' });
  const judgeAgain = (): void => caches.profiles.list().forEach(({ metadata: { namespace = '', name } }) => judging.enqueue({ namespace, name }));

  return [
    controller('datastore', sources.dataStores, caches.stores, (barrier) => createDataStoreReconcile({ ...base, declarations: cached, stores: () => caches.stores.list(), readings, runs, owner: parts.owner, barrier }), { deadlineMs: OBSERVE_DEADLINE_MS, concurrency: OBSERVE_CONCURRENCY }),
    controller('datamap', sources.dataMaps, caches.maps, (barrier) => createDataMapReconcile({ ...base, declarations: cached, barrier })),
    controller('legalhold', sources.legalHolds, caches.holds, (barrier) => createLegalHoldReconcile({ ...base, owner: parts.owner, declarations: live, barrier })),
    controller('retentionpolicy', sources.retentionPolicies, caches.policies, (barrier) => createRetentionPolicyReconcile({ ...base, declarations: live, barrier }), { deadlineMs: OBSERVE_DEADLINE_MS }),
    controller('purgerun', sources.purgeRuns, caches.runs, (barrier) => createPurgeRunReconcile({ ...base, declarations: live, cached, journal: evidence.journal, anchored: evidence.anchored, logger: parts.logger.child({ controller: 'purgerun' }), certifier, frozen: config.frozen, owner: parts.owner, leaving: parts.leaving, barrier }), { deadlineMs: PURGE_DEADLINE_MS }),
    judging,
    // Its keys are namespaces, whose objects it never writes.
    controller('entrypoints', sources.entryPoints, caches.namespaces, () => createEntryPointsReconcile({ caches, objects: objectsIn(caches), register: entryPoints, changed: judgeAgain, ...(config.entryPoints.ask ? { ask: askPort } : {}), loopback: config.entryPoints.loopback, lookup: addressesOf, userAgent: `dataward/${parts.version}`, now: () => clock.now() }), { deadlineMs: ASK_DEADLINE_MS }),
  ];
}

function objectsIn({ ingresses, routes, gateways }: Caches): EntryPointContext['objects'] {
  return { ingresses: (namespace) => ingresses.list(namespace), routes: (namespace) => routes.list(namespace), gateway: (ref) => gateways.get(ref) };
}

async function addressesOf(host: string): Promise<string[]> {
  // Addresses of a family this machine has no route for would never answer.
  return (await lookup(host, { all: true, hints: ADDRCONFIG })).map(({ address }) => address);
}
