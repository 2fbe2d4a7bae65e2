import { NAMESPACE } from '../api/kinds.ts';
import type { KubeObject } from '../api/object.ts';
import { kubernetesCheckpointSink } from '../connect/checkpoint-sink.ts';
import type { Client } from '../runtime/client.ts';
import type { Clock } from '../runtime/clock.ts';
import type { Controller } from '../runtime/controller.ts';
import { createEventRecorder, type EventRecorder } from '../runtime/events.ts';
import { shareLists } from '../runtime/shared-lists.ts';
import { within } from '../runtime/within.ts';
import type { Metrics } from '../telemetry/metrics.ts';
import { createCaches, type Caches } from './caches.ts';
import { createControllers } from './controllers.ts';
import { openEvidence, type Evidence } from './evidence.ts';
import { refreshGauges } from './gauges.ts';
import type { OperatorParts } from './parts.ts';

/** What is done while leading, and what stands while it is done. */
export interface Work {
  /** Opens evidence and caches, starts the controllers. Leaves off half way when the signal aborts. Call once. */
  begin(signal: AbortSignal): Promise<void>;
  /** Ends what was begun, within the times below, whatever does not answer. */
  end(): Promise<void>;
  /** Objects waiting in any queue. */
  pending(): number;
  /** What is not there yet, for people; undefined before the beginning and once all is there. */
  missing(): string | undefined;
  /** Why the audit log cannot be written; undefined while it can, or is not open. */
  auditProblem(): string | undefined;
}

/**
 * Times of the end. Kubernetes gives a pod 30 s before it kills it; what is cut off then leaves a lease to run out and a
 * chain without its last checkpoint. A statement of a batch ends after 8 s, so that batches can commit.
 */
const GRACE_MS = 10_000;
const ABANDON_MS = 4_000;
const LAST_WORDS_MS = 4_000;

export function createWork(parts: OperatorParts, plain: Client, metrics: Metrics): Work {
  const { config, clock, logger } = parts;
  let evidence: Evidence | undefined;
  let events: EventRecorder | undefined;
  let caches: Caches | undefined;
  let controllers: Controller[] = [];
  let begun: Promise<void> | undefined;
  let working = false;
  let running: Promise<unknown> = Promise.resolve();
  // What is read live for a decision is mostly what a cache has too; ten thousand stores need not be there twice.
  const client = shareLists(plain, (kind, { metadata }) => Object.values(caches ?? {}).find((cache) => cache.kind.plural === kind.plural && cache.kind.group === kind.group)?.get(metadata));

  async function begin(signal: AbortSignal): Promise<void> {
    const { username } = await client.whoAmI({ signal });
    const sinks = [kubernetesCheckpointSink(client, config.rootNamespace)];
    evidence = await openEvidence({ dir: config.evidenceDir, sinks, clock, logger, metrics: metrics.domain, actor: username, lockWaitMillis: config.leaderElection ? 45_000 : 0 });
    if (signal.aborted) return;
    const owner = await ownerName(client, config.rootNamespace, signal);
    caches = createCaches(client, { logger, metrics: metrics.runtime });
    running = Promise.all(Object.values(caches).map((cache) => cache.start(signal)));
    events = createEventRecorder({ client, controller: 'dataward.io/operator', instance: config.identity, clock, logger });
    controllers = createControllers({ ...parts, client, caches, evidence, events, metrics, owner, leaving: signal, actor: username, graceMs: GRACE_MS, abandonMs: ABANDON_MS });
    await Promise.all(controllers.map((controller) => controller.start(signal)));
    if (signal.aborted) return;
    keepGauges(caches, metrics, clock, signal);
    working = true;
    logger.info('the operator works', { user: username, frozen: config.frozen });
  }

  return {
    begin(signal) {
      begun = begin(signal);
      return begun;
    },
    async end() {
      working = false;
      // What is still being opened has to be closed too: an evidence folder left locked keeps the next one out.
      await within(begun?.catch(() => undefined) ?? Promise.resolve(), LAST_WORDS_MS, clock);
      await Promise.all(controllers.map((controller) => controller.stop({ graceMs: GRACE_MS })));
      controllers = [];
      await running;
      await Promise.all([within(events?.stop() ?? Promise.resolve(), LAST_WORDS_MS, clock), evidence?.close()]);
      evidence = undefined;
    },
    pending: () => controllers.reduce((sum, controller) => sum + controller.queueLength, 0),
    missing() {
      if (begun === undefined || working) return undefined;
      if (evidence === undefined) return 'the API server is being asked who this is, and the evidence is being opened';
      const empty = Object.entries(caches ?? {}).filter(([, cache]) => !cache.hasSynced).map(([name]) => name);
      return empty.length > 0 ? `caches are still being filled: ${empty.join(', ')}` : 'controllers are being started';
    },
    auditProblem() {
      const health = evidence?.audit.healthy() ?? { ok: true };
      return health.ok ? undefined : health.reason;
    },
  };
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
async function ownerName(client: Client, rootNamespace: string, signal: AbortSignal): Promise<string> {
  const namespace = (await client.get<KubeObject>(NAMESPACE, { name: rootNamespace }, { signal })) ?? (await client.create<KubeObject>(NAMESPACE, { apiVersion: 'v1', kind: 'Namespace', metadata: { name: rootNamespace } }, { signal }));
  return `${rootNamespace}/${namespace.metadata.uid}`;
}
