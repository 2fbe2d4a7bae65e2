import type { PurgeRun, Verification } from '../../api/generated/purgeRun.ts';
import type { DataStore } from '../../api/generated/dataStore.ts';
import type { StoreConnections } from '../../connect/stores.ts';
import { tableName } from '../../stores/predicate.ts';
import type { RemovedPart, StepForecast } from '../../stores/purging.ts';
import type { Executed } from './executed.ts';
import { compareHeld, fingerprintSame } from './held.ts';
import { COUNT_BUDGET_MS, recount, type Recount } from './recount.ts';
import { leftOver, placeOf, withReplicas } from './replica-verdict.ts';
import { isLost, lookAtReplicas, REPLICA_WAIT_MS } from './replicas.ts';

/** What a look by another identity showed. */
export interface Verdict {
  verification: Verification;
  /** Counts per collection as the verifying identity saw them. */
  counts: StepForecast[];
  /** Why the run cannot be called done; absent: it can. */
  problem?: { reason: 'ResidualRows' | 'HeldRowsMissing' | 'PartRemoved' | 'CountUnfinished' | 'Failed'; message: string };
  /** What is waited for: the look is not over. `verification` is then to be put into the status, for the next look to go on from. */
  waiting?: string;
}

export interface VerifyContext {
  now: () => number;
  signal: AbortSignal;
}

/**
 * Counts again what the run was to delete, over another connection and as another identity: done is what a fresh
 * read shows, never what a call returned. Without a verify identity the result stays a claim. Where the store declares
 * replicas, the primary is counted first, then they are, in later calls: a run waits for them without keeping a worker.
 */
export async function verifyRun(run: PurgeRun, store: DataStore, executed: Executed, connections: StoreConnections, context: VerifyContext): Promise<Verdict> {
  const earlier = primaryVerdict(run, executed);
  if (earlier) return verifyReplicas(run, store, executed, connections, earlier, context);
  const verdict = await verifyPrimary(run, store, executed, connections, context);
  if (verdict.problem || verdict.verification.position === undefined) return verdict;
  const { replicas } = run.status?.verification ?? {};
  const verification = { ...verdict.verification, counts: verdict.counts.map(({ collection, due, held, floored, indeterminate, blocked }) => ({ collection, due, held, floored, indeterminate, blocked })), ...(leftOver(replicas) ? { replicas } : {}) };
  return { ...verdict, verification, waiting: 'no due row is left in the primary; its replicas are looked at next' };
}

/** How soon a look that is not over is taken up again: as long as it has waited already, at most 5 s. Milliseconds. */
export function lookAgainAfter({ at }: Verification, now: number): number {
  return at === undefined ? 0 : Math.min(5_000, Math.max(0, now - Date.parse(at)));
}

async function verifyPrimary(run: PurgeRun, store: DataStore, executed: Executed, connections: StoreConnections, context: VerifyContext): Promise<Verdict> {
  const independent = store.spec.credentials.verify !== undefined;
  const reader = await connections.reader(store, independent ? 'verify' : 'observe', context.signal);
  try {
    const left = await recount(run, executed.request, reader);
    const before = run.status?.verification?.heldBefore;
    // Held rows may be out of sight with the partition; they are not gone.
    const held = before && left.unfinished.length === 0 ? compareHeld(before, await fingerprintSame(before, executed.request, reader)) : undefined;
    const problem = problemOf(left, held);
    const proven = independent && left.exact && left.unfinished.length === 0 && left.removed.length === 0;
    // After the count, so that a replica which has got there shows whatever was counted here.
    const position = independent && store.spec.endpoint.replicas?.length ? await reader.position() : undefined;
    return {
      counts: left.counts,
      verification: {
        ...(before ? { heldBefore: before } : {}),
        // Whatever was looked at, rows that are left are not proven to be gone.
        ...(problem ? {} : { level: proven ? ('VerifiedLive' as const) : ('Claimed' as const) }),
        residual: left.residual,
        ...(held?.unchanged === undefined ? {} : { heldUnchanged: held.unchanged }),
        by: independent ? 'verify' : 'observe',
        at: new Date(context.now()).toISOString(),
        conditions: executed.digest,
        ...(position === undefined ? {} : { position }),
      },
      ...(problem ? { problem } : {}),
    };
  } finally {
    await reader.close();
  }
}

/**
 * What the primary showed in an earlier look of the same verification, as the status keeps it. Undefined where it was
 * counted by other conditions than those of now: the two would be certified as one.
 */
function primaryVerdict(run: PurgeRun, { digest }: Executed): Verdict | undefined {
  const verification = run.status?.verification;
  if (run.status?.state !== 'Verifying' || verification?.position === undefined || !verification.counts || verification.conditions !== digest) return undefined;
  return { verification, counts: verification.counts.map((rows) => ({ ...rows, exact: true })) };
}

async function verifyReplicas(run: PurgeRun, store: DataStore, executed: Executed, connections: StoreConnections, primary: Verdict, { now, signal }: VerifyContext): Promise<Verdict> {
  const { position = '', at = '', heldBefore } = primary.verification;
  const countedAt = Date.parse(at);
  const before = run.status?.verification?.replicas ?? [];
  const look = await lookAtReplicas({ run, store, request: executed.request, position }, countedAt, before.filter(isLost), { connections, now, signal });
  if ('waiting' in look) {
    const names = look.waiting.map((replica) => `${placeOf(replica)} (${replica.reason})`).join(', ');
    const kept = [...before.filter((each) => !look.settled.some(({ place }) => place === each.place)), ...look.settled].toSorted((a, b) => a.place - b.place);
    return { ...primary, verification: { ...primary.verification, ...(kept.length > 0 ? { replicas: kept } : {}) }, waiting: `no due row is left in the primary; waits for ${names} until ${new Date(countedAt + REPLICA_WAIT_MS).toISOString()}, then goes on without` };
  }
  const left = leftOver(look.seen);
  // Rows that came late are in the primary too, which takes them; a replica that differs from it shows them again.
  if (left && !leftOver(before)) {
    return { counts: [], verification: { ...(heldBefore ? { heldBefore } : {}), replicas: look.seen }, waiting: `${placeOf(left)} has ${left.residual} due rows; the primary is counted again` };
  }
  const verification = withReplicas(primary.verification, look.seen, now());
  if (!left) return { counts: primary.counts, verification };
  const { level: _level, ...unproven } = verification;
  const message = `${left.residual} due rows are in ${placeOf(left)}, which shows all that the primary had written, and none in the primary; compare the two and build the replica anew, then plan again`;
  return { counts: primary.counts, verification: unproven, problem: { reason: 'ResidualRows', message } };
}

function problemOf({ counts, residual, exact, unseen, unfinished, removed }: Recount, held: { missing?: string } | undefined): Verdict['problem'] {
  if (held?.missing) return { reason: 'HeldRowsMissing', message: `${held.missing}; find out who deleted them, or detached a partition with them, the run stopped and issues no certificate` };
  // Not counted is not zero.
  if (unseen) return { reason: 'Failed', message: `${unseen} could not be counted again: it is no longer declared, found or due; what was deleted is in the audit log` };
  if (unfinished.length > 0) return { reason: 'ResidualRows', message: `the drop of ${unfinished.map(tableName).join(', ')} was begun and is not finished, and ${residual} due rows are still there; end the session that locks rows or tables of it, then plan again` };
  // As many as were seen are there; that none was seen says nothing of a count that broke off.
  if (residual === 0 && !exact) {
    const open = counts.filter((count) => !count.exact).map(({ collection }) => collection);
    return { reason: 'CountUnfinished', message: `the rows that are left in ${open.slice(0, 3).join(', ')} could not be counted within ${COUNT_BUDGET_MS / 60_000} minutes, so nothing is proven; what was deleted is in the audit log. Give the store time, or an index that begins with the column of the rule, then plan again: the next run counts again` };
  }
  // The table's own rows first: the run can go on with those.
  const [part] = removed;
  if (part && counts.every(({ due }) => due === 0)) return { reason: 'PartRemoved', message: partRemoved(part, removed.length - 1) };
  if (residual === 0) return undefined;
  const worst = counts.toSorted((a, b) => b.due - a.due)[0];
  return { reason: 'ResidualRows', message: `${residual} due rows are still there, most in ${worst?.collection}; something goes on writing, or keeps, rows with an old time, or rows in several partitions refer to each other in a ring; find it, then plan again` };
}

function partRemoved({ table, due, exact }: RemovedPart, others: number): string {
  const rows = exact ? `${due} due rows are in it` : `${due > 0 ? `at least ${due} due rows are in it, but not all` : 'none'} of its rows could be counted: the login that verifies may not read it, it lacks a column, or time ran out`;
  return `${tableName(table)} was a part of its table when the plan was made and was taken out of it since, and ${rows}${others > 0 ? `; so were ${others} more tables` : ''}; no run deletes from it there, so no certificate is issued. Drop it, attach it again, or describe it in a DataMap, then plan again`;
}
