import type { KubeObject } from '../api/object.ts';
import { NAMESPACE } from '../api/kinds.ts';
import type { OperatorConfig } from '../config.ts';
import { createElection } from '../runtime/lease.ts';
import { createEventRecorder, type EventRecorder } from '../runtime/events.ts';
import { createClient, type Access, type Client } from '../runtime/client.ts';
import type { Clock } from '../runtime/clock.ts';
import { shareLists } from '../runtime/shared-lists.ts';
import type { Controller } from '../runtime/controller.ts';
import type { StoreDriver, StoreEngine } from '../stores/port.ts';
import type { Logger } from '../telemetry/logger.ts';
import { createMetrics, type Metrics } from '../telemetry/metrics.ts';
import { startHealthServer, type HealthServer } from '../telemetry/health.ts';
import type { Engine } from '../policy/engine.ts';
import { createCaches, type Caches } from './caches.ts';
import { createControllers } from './controllers.ts';
import { kubernetesCheckpointSink } from '../connect/checkpoint-sink.ts';
import { openEvidence, type Evidence } from './evidence.ts';
import { refreshGauges } from './gauges.ts';

export interface OperatorParts {
  config: OperatorConfig;
  access: Access;
  drivers: Record<StoreEngine, StoreDriver>;
  engine: Engine;
  clock: Clock;
  logger: Logger;
  version: string;
  commit: string;
}

export interface Operator {
  /** Where /healthz, /readyz and /metrics answer. */
  health: { host: string; port: number };
  metrics: Metrics;
  /** Objects waiting in any queue; 0 means nothing is to be done right now. */
  pending: () => number;
  /** Rejects when the operator ended for a cause nobody asked for; resolves after `stop`. */
  ended: Promise<void>;
  /** Stops taking work, lets batches under way commit, gives the lease back, closes the evidence. */
  stop: () => Promise<void>;
}

/** Runs the controllers: at once, or as long as this process leads. */
export async function startOperator(parts: OperatorParts): Promise<Operator> {
  const { config, logger } = parts;
  const metrics = createMetrics({ version: parts.version, commit: parts.commit, processMetrics: true });
  const client = shareLists(createClient(parts.access, { userAgent: `dataward/${parts.version}`, metrics: metrics.runtime, qps: 0 }));
  const stopping = new AbortController();
  const work = createWork(parts, client, metrics);
  const health = await startHealthServer({
    ...config.listen,
    registry: metrics.registry,
    ready: { caches: () => (work.caches && !Object.values(work.caches).every((cache) => cache.hasSynced) ? 'caches are still being filled' : undefined) },
  });
  const ended = config.leaderElection ? lead(parts, client, metrics, work, stopping.signal) : alone(work, stopping.signal);
  ended.catch(() => {});
  return {
    health,
    metrics,
    pending: () => work.controllers.reduce((sum, controller) => sum + controller.queueLength, 0),
    ended,
    async stop() {
      stopping.abort();
      await ended.catch((error: unknown) => logger.error('the operator did not end well', { error }));
      await close(health, client);
    },
  };
}

async function close(health: HealthServer, client: Client): Promise<void> {
  await health.close();
  client.close();
}

/** What is done while leading, and what stands while it is done. */
interface Work {
  caches?: Caches;
  controllers: Controller[];
  begin: (signal: AbortSignal) => Promise<void>;
  end: () => Promise<void>;
}

function createWork(parts: OperatorParts, client: Client, metrics: Metrics): Work {
  const { config, clock, logger } = parts;
  let evidence: Evidence | undefined;
  let events: EventRecorder | undefined;
  let running: Promise<unknown> = Promise.resolve();
  const work: Work = {
    controllers: [],
    async begin(signal) {
      const { username } = await client.whoAmI({ signal });
      const sinks = [kubernetesCheckpointSink(client, config.rootNamespace)];
      evidence = await openEvidence({ dir: config.evidenceDir, sinks, clock, logger, metrics: metrics.domain, actor: username, lockWaitMillis: config.leaderElection ? 45_000 : 0 });
      const owner = await ownerName(client, config.rootNamespace);
      work.caches = createCaches(client, { logger, metrics: metrics.runtime });
      running = Promise.all(Object.values(work.caches).map((cache) => cache.start(signal)));
      events = createEventRecorder({ client, controller: 'dataward.io/operator', instance: config.identity, clock, logger });
      work.controllers = createControllers({ ...parts, client, caches: work.caches, evidence, events, metrics, owner, leaving: signal, actor: username });
      await Promise.all(work.controllers.map((controller) => controller.start(signal)));
      keepGauges(work.caches, metrics, clock, signal);
      logger.info('the operator works', { user: username, frozen: config.frozen });
    },
    async end() {
      await Promise.all(work.controllers.map((controller) => controller.stop()));
      work.controllers = [];
      await running;
      await events?.stop();
      await evidence?.close();
      evidence = undefined;
    },
  };
  return work;
}

/** As often as a scrape at most; between two of them a figure is as old as that. */
const GAUGES_EVERY_MS = 10_000;

function keepGauges(caches: Caches, metrics: Metrics, clock: Clock, signal: AbortSignal): void {
  let cancel = (): void => {};
  const tick = (): void => {
    refreshGauges(metrics.domain, caches, clock.now());
    cancel = clock.setTimer(GAUGES_EVERY_MS, tick);
  };
  signal.addEventListener('abort', () => cancel(), { once: true });
  tick();
}

/** Names this installation in the stores: another cluster, or the same one built anew, is another owner. */
async function ownerName(client: Client, rootNamespace: string): Promise<string> {
  const namespace = (await client.get<KubeObject>(NAMESPACE, { name: rootNamespace })) ?? (await client.create<KubeObject>(NAMESPACE, { apiVersion: 'v1', kind: 'Namespace', metadata: { name: rootNamespace } }));
  return `${rootNamespace}/${namespace.metadata.uid}`;
}

async function alone(work: Work, signal: AbortSignal): Promise<void> {
  try {
    await work.begin(signal);
    await aborted(signal);
  } finally {
    await work.end();
  }
}

/** Leads by a Lease. A process that lost it ends: what it might still do is fenced off in the stores. */
async function lead(parts: OperatorParts, client: Client, metrics: Metrics, work: Work, signal: AbortSignal): Promise<void> {
  let failure: unknown;
  const lost = new AbortController();
  const election = createElection({
    client,
    ref: { namespace: parts.config.rootNamespace, name: 'dataward-leader' },
    // Two processes under one pod name - the one before a restart - must not take each other for themselves.
    identity: `${parts.config.identity}_${process.pid}_${parts.clock.now()}`,
    clock: parts.clock,
    random: Math.random,
    logger: parts.logger,
    metrics: metrics.runtime,
    onStartedLeading: (leading) => {
      work.begin(leading).catch((error: unknown) => {
        failure = error;
        lost.abort();
      });
    },
    onStoppedLeading: () => work.end(),
  });
  await election.run(AbortSignal.any([signal, lost.signal]));
  if (failure !== undefined) throw failure;
  if (!signal.aborted) throw new Error('the lease was lost');
}

function aborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  return new Promise((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
}
