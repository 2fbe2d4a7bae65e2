import type { PurgeRun } from '../../api/generated/purgeRun.ts';
import type { DataStore } from '../../api/generated/dataStore.ts';
import type { StoreConnections } from '../../connect/stores.ts';
import type { Journal } from '../../evidence/audit/journal.ts';
import type { AuditLog } from '../../evidence/audit/log.ts';
import { isQuestion, type Pace, type PurgeStep, type Refusal } from '../../stores/purging.ts';
import { StoreError } from '../../stores/errors.ts';
import type { Executed } from './executed.ts';
import { openLedger, type Ledger, type LedgerContext } from './ledger.ts';
import { objectOf } from './names.ts';
import { validApprovals } from './plan.ts';
import type { Stop } from './stop.ts';

export interface StretchWork {
  run: PurgeRun;
  store: DataStore;
  executed: Executed;
  maxRows: number;
  pace: Pace;
}

export interface StretchContext {
  connections: StoreConnections;
  audit: AuditLog;
  journal: Journal;
  /** A client's key as evidence may carry it: a name, or a pseudonym where it looks like a person. */
  nameClient: (key: string) => string;
  metrics: LedgerContext['metrics'];
  /** Told where in the audit log the intent stands, before the first row goes. */
  intended: (seq: number) => Promise<void>;
  actor: string;
  /** This installation, as the stores it owns know it. */
  owner: string;
  now: () => number;
  signal: AbortSignal;
  /** Asked before each batch. */
  stop: () => Promise<Stop | undefined>;
  /** Told after batches, at most once a second. */
  progress: (seen: Progress) => Promise<void>;
}

export interface Progress {
  deleted: number;
  throttledBy?: string;
}

/** How a stretch of work ended. */
export type Stretch = { end: 'Finished' | 'OutOfTime'; deleted: number } | { end: 'Stopped'; stop: Stop; deleted: number } | { end: 'LimitReached'; deleted: number } | { end: 'Replaced'; why: string; deleted: number } | { end: 'Refused'; refusals: Refusal[]; deleted: number };

/**
 * A stretch is ended after this long, so that what is asked only at its beginning is asked again. The run goes on where it
 * was.
 */
const STRETCH_MS = 240_000;
const REPORT_EVERY_MS = 1_000;

/**
 * Works on a run until it is finished, stopped or out of time. Intent is on disk before the first row goes; each
 * batch is in the store's own journal in its own transaction, and from there in the audit log. After a crash the
 * next stretch goes on from the journal with the same cutoff.
 */
export async function purgeStretch(work: StretchWork, context: StretchContext): Promise<Stretch> {
  const uid = work.run.metadata.uid ?? '';
  const writer = await context.connections.writer(work.store, context.signal);
  let ledger: Ledger | undefined;
  try {
    const earlier = work.run.status?.progress?.deleted ?? 0;
    const identity = await writer.identity();
    if (identity.fingerprint !== work.run.spec.plan.target) return { end: 'Stopped', stop: { reason: 'TargetChanged', why: 'another store answers the enforcing identity than the plan was made for' }, deleted: earlier };
    const planned = await writer.planPurge({ ...work.executed.request, budgetMs: 0 });
    if (planned.refusals.length > 0) return { end: 'Refused', refusals: planned.refusals, deleted: earlier };
    await context.intended(await intend(work, context));
    ledger = await openLedger(work, writer, context);
    const claim = await writer.claim(uid);
    // The claim names who owns the store; another cluster's operator must not delete on the strength of having the password.
    if (claim.owner !== context.owner) return { end: 'Stopped', stop: { reason: 'ForeignOwner', why: `the store belongs to ${claim.owner}; only its own operator deletes there` }, deleted: ledger.deleted() };
    const until = context.now() + STRETCH_MS;
    const sweep = (work.run.status?.verification?.residual ?? 0) > 0;
    for (const step of stepsOf(work.run, planned.steps)) {
      const batches = writer.purge(step, { request: work.executed.request, claim, pace: work.pace, maxRows: Math.max(0, work.maxRows - ledger.deleted()), sweep, signal: context.signal });
      let reported = 0;
      // The driver begins nothing on an answer that is not new, so every gate is passed before each batch.
      const before = await context.stop();
      if (before) return { end: 'Stopped', stop: before, deleted: ledger.deleted() };
      let ended: { end: 'Stopped'; stop: Stop } | { end: 'OutOfTime' } | undefined;
      for await (const batch of batches) {
        ledger.count(batch.deleted);
        if (context.now() - reported >= REPORT_EVERY_MS) {
          reported = context.now();
          await ledger.takeOver();
          await context.progress({ deleted: ledger.deleted(), ...(batch.throttledBy ? { throttledBy: batch.throttledBy } : {}) });
        }
        const stop = await context.stop();
        if (stop) ended = { end: 'Stopped', stop };
        // A count, or a sweep's look, keeps no place: it would begin anew in each stretch, and never end where it takes longer.
        else if (context.now() >= until && !isQuestion(batch)) ended = { end: 'OutOfTime' };
        if (ended) break;
      }
      // By now every worker has ended, and what the last of them deleted is on record with the rest.
      if (ended) return { ...ended, deleted: await ledger.takeOver() };
    }
    return { end: 'Finished', deleted: await ledger.takeOver() };
  } catch (error) {
    // Said by the fence in mid-work; the next look sees it at the gates.
    if (error instanceof StoreError && (error.reason === 'Frozen' || error.reason === 'ForeignOwner')) return { end: 'Stopped', stop: { reason: error.reason, why: error.message }, deleted: (await ledger?.takeOver()) ?? work.run.status?.progress?.deleted ?? 0 };
    if (error instanceof StoreError && error.reason === 'RunLimitReached') return { end: 'LimitReached', deleted: (await ledger?.takeOver()) ?? 0 };
    if (error instanceof StoreError && error.reason === 'Replaced') return { end: 'Replaced', why: error.message, deleted: (await ledger?.takeOver()) ?? work.run.status?.progress?.deleted ?? 0 };
    throw error;
  } finally {
    await writer.close();
  }
}

/**
 * Plan steps as the driver takes them: approved order and method, and the predicate as it is derived today, which was
 * found not to be wider. What the plan does not name is not among them.
 */
export function stepsOf(run: PurgeRun, derived: readonly PurgeStep[]): PurgeStep[] {
  return run.spec.plan.steps
    .toSorted((a, b) => a.order - b.order)
    .flatMap((step) => {
      const today = derived.find((candidate) => candidate.collection === step.collection);
      return today ? [{ ...today, order: step.order, method: step.method, because: step.because }] : [];
    });
}

/** Write before destroy: an audit log that cannot take the intent throws, and nothing is deleted. */
async function intend(work: StretchWork, context: StretchContext): Promise<number> {
  const { run } = work;
  const record = await context.audit.append({
    actor: context.actor,
    action: 'purge.intent',
    object: objectOf(run),
    outcome: 'Intended',
    refs: {
      planDigest: run.spec.planDigest,
      asOf: run.spec.plan.asOf,
      maxRows: work.maxRows,
      approvals: validApprovals(run).map((approval) => approval.by),
      conditions: work.executed.digest,
      collections: run.spec.plan.steps.map((step) => step.collection),
    },
  });
  return record.seq;
}
