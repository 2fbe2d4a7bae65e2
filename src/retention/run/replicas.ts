import type { PurgeRun, ReplicaVerification } from '../../api/generated/purgeRun.ts';
import type { DataStore } from '../../api/generated/dataStore.ts';
import type { Reason } from '../../api/reasons.ts';
import { failureOf } from '../../connect/failures.ts';
import type { StoreConnections } from '../../connect/stores.ts';
import { strangerProblem } from '../../rules/replica.ts';
import type { StoreReader } from '../../stores/port.ts';
import type { PurgeRequest } from '../../stores/purging.ts';
import { COUNT_BUDGET_MS, recount } from './recount.ts';
import { notVerified } from './replica-verdict.ts';

/**
 * Looks at the declared replicas of a store after its primary was counted. A run waits for them between looks, not
 * within one, and never for ever: what a dead replica holds is said, not waited for.
 */

/** How long all replicas of a run are waited for in all, from the time its primary was counted. */
export const REPLICA_WAIT_MS = 60_000;
/** Login and first questions. A server that takes longer does not answer. */
const VISIT_MS = 20_000;
/** Words for what may pass by itself. A wrong password does not, and to repeat it could lock the account. */
const PASSING: readonly Reason[] = ['Unreachable', 'ReadFailed', 'ReplicaBehind', 'CountUnfinished'];

export interface ReplicaContext {
  connections: StoreConnections;
  now: () => number;
  signal: AbortSignal;
}

/** What the work on one run compares a replica with. */
interface Expected {
  run: PurgeRun;
  store: DataStore;
  request: PurgeRequest;
  /** Of the primary. */
  position: string;
}

interface Visit {
  result: ReplicaVerification;
  /** Worth another visit while there is time. */
  again: boolean;
  /** Something nobody foresaw: for the log of the operator, while there is time. */
  fault?: Error;
}

/** `waiting` may still catch up or answer; `settled` will not, and is not to be asked again. */
export type ReplicaLook = { waiting: ReplicaVerification[]; settled: ReplicaVerification[] } | { seen: ReplicaVerification[] };

/**
 * What each declared replica shows, by place. Rows are counted only when all are ready or the time is over, so that no
 * count has to be kept between two looks.
 *
 * @param countedAt when the primary was counted, milliseconds
 * @param known `settled` of earlier looks
 */
export async function lookAtReplicas(expected: Expected, countedAt: number, known: readonly ReplicaVerification[], context: ReplicaContext): Promise<ReplicaLook> {
  const places = (expected.store.spec.endpoint.replicas ?? []).map((_, place) => place);
  const settled = new Map(known.map((result) => [result.place, result]));
  const inTime = (): boolean => context.now() < countedAt + REPLICA_WAIT_MS;
  const round = async (count: boolean): Promise<Visit[]> => {
    const visits = await Promise.all(places.filter((place) => !settled.has(place)).map((place) => visit(place, expected, count, context)));
    const fault = visits.find((each) => each.fault)?.fault;
    if (fault && inTime()) throw fault;
    for (const { result, again } of visits) if (!again && isLost(result)) settled.set(result.place, result);
    return visits;
  };
  const unsettled = (visits: readonly Visit[]): ReplicaVerification[] => visits.filter(({ again }) => again).map(({ result }) => result);

  if (inTime()) {
    const waiting = unsettled(await round(false));
    if (waiting.length > 0) return { waiting, settled: [...settled.values()] };
  }
  const visits = await round(true);
  const waiting = unsettled(visits);
  if (waiting.length > 0 && inTime()) return { waiting, settled: [...settled.values()] };
  const seen = new Map([...settled.values(), ...visits.map(({ result }) => result)].map((result) => [result.place, result]));
  return { seen: places.flatMap((place) => seen.get(place) ?? []) };
}

/** Nothing was learned of the rows there. */
export const isLost = ({ reason }: ReplicaVerification): boolean => reason !== undefined && reason !== 'ResidualRows';

/** One login at one replica. Whatever goes wrong there is said of it; only the end of our own work is thrown. */
async function visit(place: number, expected: Expected, count: boolean, context: ReplicaContext): Promise<Visit> {
  const limit = timeLimit(context.signal);
  let counting = false;
  try {
    limit.set(VISIT_MS);
    const reader = await context.connections.replicaVerifier(expected.store, place, limit.signal);
    try {
      const stranger = strangerProblem(await reader.identity(), expected.run.spec.plan.target);
      if (stranger) return { result: notVerified(place, 'NotAReplica', stranger.message), again: stranger.passes };
      if (!(await reader.hasReached(expected.position))) return { result: notVerified(place, 'ReplicaBehind'), again: true };
      if (!count) return { result: { place, verified: false }, again: false };
      counting = true;
      limit.set(COUNT_BUDGET_MS + VISIT_MS);
      return { result: await counted(place, expected, reader), again: false };
    } finally {
      await reader.close();
    }
  } catch (error) {
    context.signal.throwIfAborted();
    const reason = limit.over() ? 'Unreachable' : reasonOf(error, counting);
    const fault = reason === 'InternalError' && error instanceof Error ? { fault: error } : {};
    return { result: notVerified(place, reason), again: PASSING.includes(reason), ...fault };
  } finally {
    limit.clear();
  }
}

async function counted(place: number, { run, request }: Expected, reader: StoreReader): Promise<ReplicaVerification> {
  const { residual, exact, unseen, unfinished, removed } = await recount(run, request, reader);
  // Rows that were seen are there, whether or not all were looked at.
  if (residual > 0) return { place, verified: false, reason: 'ResidualRows', message: `${residual} due rows are still there`, residual };
  if (!exact || unseen !== undefined || unfinished.length > 0 || removed.length > 0) return notVerified(place, 'CountUnfinished');
  return { place, verified: true, residual };
}

/** A replica cancels a query that keeps it from replaying; then it was not counted, and that is no fault of the store. */
function reasonOf(error: unknown, counting: boolean): Reason {
  const { reason } = failureOf(error);
  return counting && reason === 'ProgressingWithRetry' ? 'CountUnfinished' : reason;
}

/** A signal that ends with `outer`, or when the time last set is over: a server that hangs keeps nobody waiting. */
function timeLimit(outer: AbortSignal): { signal: AbortSignal; set(ms: number): void; over(): boolean; clear(): void } {
  const own = new AbortController();
  let timer: NodeJS.Timeout | undefined;
  return {
    signal: AbortSignal.any([outer, own.signal]),
    set(ms) {
      clearTimeout(timer);
      timer = setTimeout(() => own.abort(), ms);
    },
    over: () => own.signal.aborted,
    clear: () => clearTimeout(timer),
  };
}
