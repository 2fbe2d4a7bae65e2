import { createClient, type Client } from '../runtime/client.ts';
import { createElection } from '../runtime/lease.ts';
import { within } from '../runtime/within.ts';
import { startHealthServer, type HealthChecks, type HealthServer } from '../telemetry/health.ts';
import { createMetrics, type Metrics } from '../telemetry/metrics.ts';
import type { OperatorParts } from './parts.ts';
import { createWork, type Work } from './work.ts';

export interface Operator {
  /** Where /healthz, /readyz and /metrics answer. */
  health: { host: string; port: number };
  metrics: Metrics;
  /** Objects waiting in any queue; 0 means nothing is to be done right now. */
  pending: () => number;
  /** Rejects when the operator ended for a cause nobody asked for; resolves after `stop`. */
  ended: Promise<void>;
  /**
   * Stops taking work, lets batches under way commit, gives the lease back, closes the evidence. Resolves within 30 s,
   * whatever hangs; the fence in the stores makes it safe to end in the middle of anything.
   */
  stop: () => Promise<void>;
}

/** Runs the controllers: at once, or as long as this process leads. */
export async function startOperator(parts: OperatorParts): Promise<Operator> {
  const { config, logger } = parts;
  const metrics = createMetrics({ version: parts.version, commit: parts.commit, processMetrics: true });
  const client = createClient(parts.access, { userAgent: `dataward/${parts.version}`, metrics: metrics.runtime, qps: 0 });
  const stopping = new AbortController();
  const work = createWork(parts, client, metrics);
  const health = await startHealthServer({ ...config.listen, registry: metrics.registry, ready: readiness(client, work, stopping.signal) });
  const ended = config.leaderElection ? lead(parts, client, metrics, work, stopping.signal) : alone(work, stopping.signal);
  ended.catch(() => {});
  return {
    health,
    metrics,
    pending: () => work.pending(),
    ended,
    async stop() {
      stopping.abort();
      const outcome = ended.then(() => 'ended' as const, (error: unknown) => {
        logger.error('the operator did not end well', { error });
        return 'ended' as const;
      });
      if ((await within(outcome, STOP_MS, parts.clock)) === undefined) logger.error('the operator did not end in time and is left as it is', { afterMs: STOP_MS });
      await close(health, client);
    },
  };
}

/** A little less than the 30 s Kubernetes gives a pod. */
const STOP_MS = 28_000;
/** Less than a probe waits. */
const ASK_MS = 1_800;

/** What keeps this process from doing its work. A store that hangs is not among it: that is the news of the store's own object. */
function readiness(client: Client, work: Work, stopping: AbortSignal): HealthChecks {
  return {
    stopping: () => (stopping.aborted ? 'asked to end' : undefined),
    work: () => work.missing(),
    audit: () => work.auditProblem(),
    async apiserver() {
      try {
        await client.whoAmI({ timeoutMs: ASK_MS, signal: AbortSignal.timeout(ASK_MS) });
        return undefined;
      } catch {
        return 'the API server does not answer; nothing is planned or deleted until it does';
      }
    },
  };
}

async function close(health: HealthServer, client: Client): Promise<void> {
  await health.close();
  client.close();
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
