import type { ObjectRef } from '../api/object.ts';
import type { Logger } from '../telemetry/logger.ts';
import type { RuntimeMetrics } from '../telemetry/runtime-metrics.ts';
import { isAlreadyExists, isConflict } from './api-error.ts';
import type { Client } from './client.ts';
import { formatMicroTime, sleep } from './clock.ts';
import type { Clock } from './clock.ts';
import { holderIsOther, LEASE, mayTake, nextSpec } from './lease-spec.ts';
import type { Lease, LeaseSpec } from './lease-spec.ts';
import { allowManyListeners } from './signals.ts';

export interface ElectionOptions {
  client: Pick<Client, 'get' | 'create' | 'replace'>;
  /** Where the Lease is. */
  ref: ObjectRef & { namespace: string };
  /** Unlike that of any other candidate, also of the one that ran under the same name before. */
  identity: string;
  clock: Clock;
  random: () => number;
  logger: Logger;
  metrics?: RuntimeMetrics | undefined;
  /** Others take over when they saw no renewal for so long; 15,000 ms when left out. */
  leaseDurationMs?: number;
  /** We stop leading when we could not renew for so long; 10,000 ms when left out. Must be shorter. */
  renewDeadlineMs?: number;
  /** Between tries; 2,000 ms when left out. */
  retryPeriodMs?: number;
  /** Called once leading, with a signal that aborts when that ends. */
  onStartedLeading: (signal: AbortSignal) => void;
  /** Called when leading ended, for whatever cause. At a graceful end the lease is given back after the promise settles. */
  onStoppedLeading: () => void | Promise<void>;
  onNewLeader?: (identity: string) => void;
}

/**
 * One of several processes leads, by a Lease. A Lease cannot fence: a leader paused for longer than the lease goes on
 * for a moment when it wakes up. What must never happen twice has to be fenced where it happens, in the store.
 */
export interface Election {
  /** Takes part until the signal aborts, or until leadership was lost; then gives the lease back if it is ours. */
  run(signal: AbortSignal): Promise<void>;
  /** Whether we lead now, judged by the time since our last renewal was sent: false at once after a long pause. */
  isLeader(): boolean;
  /** The last holder seen; undefined before the first look. */
  leader(): string | undefined;
}

/** Creates a candidate. Throws a RangeError for durations under which two could lead at once. */
export function createElection(options: ElectionOptions): Election {
  const { client, ref, identity, clock, logger, metrics } = options;
  const leaseDurationMs = options.leaseDurationMs ?? 15_000;
  const renewDeadlineMs = options.renewDeadlineMs ?? 10_000;
  const retryPeriodMs = options.retryPeriodMs ?? 2_000;
  if (!(leaseDurationMs > renewDeadlineMs && renewDeadlineMs > retryPeriodMs * 1.2 && retryPeriodMs > 0)) {
    throw new RangeError('leader election needs leaseDurationMs > renewDeadlineMs > 1.2 x retryPeriodMs > 0');
  }
  const labels = { name: ref.name };
  /** The lease as last seen, and when (monotonic) it was first seen so: other clocks are not to be trusted. */
  let observed: { lease: Lease; at: number } | undefined;
  /** When (monotonic) the last renewal that succeeded was sent. */
  let renewedAt: number | undefined;
  let announced: string | undefined;

  const observe = (lease: Lease, at: number): void => {
    if (observed === undefined || observed.lease.metadata.resourceVersion !== lease.metadata.resourceVersion) observed = { lease, at };
    const holder = lease.spec?.holderIdentity ?? '';
    if (holder !== '' && holder !== announced) {
      announced = holder;
      options.onNewLeader?.(holder);
    }
  };
  const isLeader = (): boolean => renewedAt !== undefined && clock.monotonic() - renewedAt < renewDeadlineMs;

  /** One try to take or renew the lease; whether it is ours now. Rejects when the API server cannot be asked. */
  const tryOnce = async (signal: AbortSignal): Promise<boolean> => {
    const sentAt = clock.monotonic();
    const call = { signal, timeoutMs: renewDeadlineMs / 2 };
    // While leading, the lease in hand is most likely still the stored one: one request less each two seconds.
    const known = isLeader() ? observed?.lease : undefined;
    if (isLeader() && known === undefined) metrics?.leaderSlowpath.inc(labels);
    const current = known ?? (await client.get<Lease>(LEASE, ref, call));
    if (current === undefined) {
      const created = await client.create<Lease>(LEASE, { apiVersion: 'coordination.k8s.io/v1', kind: 'Lease', metadata: { ...ref }, spec: specFor(undefined) }, call);
      observe(created, clock.monotonic());
      renewedAt = sentAt;
      return true;
    }
    observe(current, clock.monotonic());
    if (observed === undefined) return false;
    if (!mayTake(current.spec, identity, clock.monotonic() - observed.at)) return false;
    const stored = await client.replace<Lease>(LEASE, { ...current, spec: specFor(current.spec) }, call);
    observe(stored, clock.monotonic());
    renewedAt = sentAt;
    return true;
  };

  const specFor = (before: LeaseSpec | undefined): LeaseSpec => nextSpec(before, { identity, leaseDurationMs, now: clock.now() });

  /** The same as tryOnce, with failures as "not ours". */
  const attempt = async (signal: AbortSignal): Promise<boolean> => {
    try {
      return await tryOnce(signal);
    } catch (error) {
      // Someone was faster; what they wrote is read at the next try.
      if (isConflict(error) || isAlreadyExists(error)) observed = undefined;
      else if (!signal.aborted) logger.warn('cannot reach the lease', { lease: ref.name, error });
      return false;
    }
  };

  const release = async (): Promise<void> => {
    try {
      const lease = await client.get<Lease>(LEASE, ref, { timeoutMs: 2_000 });
      if (lease?.spec?.holderIdentity !== identity) return;
      const time = formatMicroTime(clock.now());
      await client.replace<Lease>(LEASE, { ...lease, spec: { ...lease.spec, holderIdentity: '', leaseDurationSeconds: 1, renewTime: time, acquireTime: time } }, { timeoutMs: 2_000 });
      logger.info('gave the lease back', { lease: ref.name });
    } catch (error) {
      logger.warn('could not give the lease back; another one takes over when it runs out', { lease: ref.name, error });
    }
  };

  /**
   * One attempt, given up at the renew deadline: a hung request must not keep us believing that we lead. The end of the
   * process does not cut it short, or a write the server has done would be unknown to us when the lease is given back.
   */
  const attemptInTime = async (): Promise<void> => {
    const limit = new AbortController();
    const cancel = clock.setTimer((renewedAt ?? 0) + renewDeadlineMs - clock.monotonic(), () => limit.abort());
    await attempt(limit.signal);
    cancel();
  };

  /** Renews until the signal aborts, the lease has another holder, or it could not be renewed in time. */
  const renewUntil = async (signal: AbortSignal): Promise<void> => {
    for (;;) {
      await sleep(clock, retryPeriodMs, signal);
      // After a pause of this process the lease may have been another's meanwhile, even if it is free again: no renewal.
      if (signal.aborted || !isLeader()) return;
      await attemptInTime();
      if (!isLeader() || holderIsOther(observed?.lease, identity)) return;
    }
  };

  return {
    isLeader,
    leader: () => announced,
    async run(signal) {
      allowManyListeners(signal);
      metrics?.leader.set(labels, 0);
      while (!signal.aborted && !(await attempt(signal))) await sleep(clock, retryPeriodMs * (1 + 0.2 * options.random()), signal);
      if (renewedAt === undefined) return;
      const leading = new AbortController();
      metrics?.leader.set(labels, 1);
      logger.info('leading', { lease: ref.name, identity });
      options.onStartedLeading(leading.signal);
      await renewUntil(signal);
      const graceful = signal.aborted && isLeader();
      leading.abort();
      metrics?.leader.set(labels, 0);
      if (!graceful) logger.error('lost the lease', { lease: ref.name, leader: announced });
      const drained = (async () => options.onStoppedLeading())().catch((error: unknown) => logger.error('stopping the work of the leader failed', { error }));
      if (graceful) {
        // The lease is kept while work runs out: given back earlier, the next leader would start beside it.
        const working = new AbortController();
        void drained.then(() => working.abort());
        await renewUntil(working.signal);
      }
      await drained;
      const ours = isLeader();
      // Before the lease is given back, not after: once the server has it, another may lead while we wait for the answer.
      renewedAt = undefined;
      if (graceful && ours) await release();
    },
  };
}
