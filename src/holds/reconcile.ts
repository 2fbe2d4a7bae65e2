import { isDeepStrictEqual } from 'node:util';
import type { DataStore } from '../api/generated/dataStore.ts';
import type { LegalHold, LegalHoldStatus } from '../api/generated/legalHold.ts';
import { DATA_STORE, FINALIZER, LEGAL_HOLD } from '../api/kinds.ts';
import type { StoreFacts } from '../connect/facts.ts';
import { failureOf, type Failure } from '../connect/failures.ts';
import type { StoreConnections } from '../connect/stores.ts';
import type { DeclarationSource } from '../connect/declarations.ts';
import type { AuditLog } from '../evidence/audit/log.ts';
import type { Declarations } from '../rules/store-rules.ts';
import { hasEnded, isReleased, type HoldList } from '../rules/succession.ts';
import { announce } from '../runtime/announce.ts';
import type { Client } from '../runtime/client.ts';
import type { Clock } from '../runtime/clock.ts';
import type { Reconcile } from '../runtime/controller.ts';
import { ensureFinalizer, removeFinalizer } from '../runtime/finalizers.ts';
import { done, requeueAfter } from '../runtime/result.ts';
import type { EventRecorder } from '../runtime/events.ts';
import { updateStatus } from '../runtime/status.ts';
import type { WriteBarrier } from '../runtime/write-barrier.ts';
import { enforce, handOver, release, type HoldContext, type StoreOutcome } from './apply.ts';
import { countHeld } from './count.ts';
import { readSubjects } from './observe.ts';
import { countDue, mayStandIn, nextToCount, reached } from './plan.ts';
import { holdStatus, releasedStatus, unreadStatus, withCount } from './status.ts';
import { endingOf, supersededCondition, supersedesCondition, type Ending } from './succession.ts';
import { survive } from './survive.ts';

export interface LegalHoldContext {
  client: Client;
  connections: StoreConnections;
  facts: StoreFacts;
  declarations: DeclarationSource;
  rootNamespace: string;
  audit: AuditLog;
  /** User name the audit log names for what the operator did. */
  actor: string;
  /** This installation, as the stores it owns know it. */
  owner: string;
  clock: Clock;
  barrier: WriteBarrier;
  events: EventRecorder;
}

/** A hold is looked at again this often, because stores and tables appear without its object changing. */
const LOOK_AGAIN_MS = 60_000;
const RETRY_MS = 5_000;
const COUNT_NEXT_MS = 1_000;
const LEAVE_WITHIN_MS = 600_000;

/**
 * Brings a hold into force in every store it reaches, keeps it there, and lets it go only when two people have
 * released it and whoever takes its place stands there too. Deleting the object ends nothing.
 */
export function createLegalHoldReconcile(context: LegalHoldContext): Reconcile {
  return async (ref, { signal }) => {
    const found = await context.client.get<LegalHold>(LEGAL_HOLD, ref);
    if (!found) return done();
    if (found.metadata.deletionTimestamp) return leave(found, signal);
    const hold = await ensureFinalizer(context.client, LEGAL_HOLD, found, FINALIZER);
    if (!hold) return done();
    const read = await whereItApplies();
    if ('reason' in read) {
      await save(hold, (current) => unreadStatus(current, read, context.clock.now()), 'Hold', signal);
      return requeueAfter(RETRY_MS);
    }
    const { declarations, stores } = read;
    const work: HoldContext = { connections: context.connections, facts: context.facts, owner: context.owner, now: () => context.clock.now(), signal };
    const standsIn = (of: LegalHold): readonly DataStore[] => mayStandIn(of, stores, declarations);
    const ending = endingOf(hold, standsIn(hold), declarations);
    if (ending.ends) return letGo(hold, standsIn(hold), ending, declarations, work);

    const subjects = await readSubjects(context.client, hold, declarations);
    const targets = reached(hold, stores, declarations);
    const outcomes = await Promise.all(targets.map((store) => enforce(hold, store, declarations, subjects, work)));
    const complete = outcomes.every((outcome) => !outcome.failed);
    const unsaid = hold.status?.observedGeneration !== hold.metadata.generation || hold.status?.storesTotal === 0;
    if (complete && outcomes.length > 0 && unsaid) await note(hold, 'hold.enforced', { generation: hold.metadata.generation ?? 0, stores: outcomes.length });
    const now = context.clock.now();
    const succession = [...supersededCondition(hold, ending), ...supersedesCondition(hold, standsIn, declarations)];
    await save(hold, (current) => holdStatus(current, outcomes, subjects, now, succession), 'Hold', signal);
    const more = await countOne(hold, targets, outcomes, work);
    // A release that people have signed does not wait a minute longer than its successor.
    return requeueAfter(more ? COUNT_NEXT_MS : complete && !isReleased(hold) ? LOOK_AGAIN_MS : RETRY_MS);
  };

  /** Counts in one store a look, after the hold is said to stand, so that other holds get their turn. True when it is to be looked at again at once. */
  async function countOne(hold: LegalHold, targets: readonly DataStore[], outcomes: readonly StoreOutcome[], work: HoldContext): Promise<boolean> {
    const now = context.clock.now();
    const due = targets.flatMap((store, index) => {
      const outcome = outcomes[index];
      return outcome && countDue(hold, store, outcome.store, now) ? [{ store, held: outcome.store, outcome }] : [];
    });
    const turn = nextToCount(due, now);
    if (!turn) return false;
    const { store, held, outcome } = turn.next;
    const counted = await countHeld(store, outcome, work);
    const { namespace = '', name, uid } = hold.metadata;
    await updateStatus<LegalHold>(context.client, LEGAL_HOLD, { namespace, name }, (current) => withCount(current, held, counted, now), { uid, barrier: context.barrier, signal: work.signal });
    // What is said of its blocks is said by a look, and not a minute later.
    return turn.more || (counted.items !== undefined && !isDeepStrictEqual(counted.emptyBlocks, held.emptyBlocks));
  }

  async function whereItApplies(): Promise<{ declarations: Declarations; stores: DataStore[] } | Failure> {
    try {
      return { declarations: await context.declarations.read(), stores: await context.client.list<DataStore>(DATA_STORE) };
    } catch (error) {
      const failure = failureOf(error);
      if (failure.reason === 'InternalError') throw error;
      return failure;
    }
  }

  /** The words are those that were acted on: what was written meanwhile must not be said to stand. */
  async function save(hold: LegalHold, statusOf: (current: LegalHold) => LegalHoldStatus, action: string, signal?: AbortSignal): Promise<void> {
    const { namespace = '', name, uid } = hold.metadata;
    const stored = await updateStatus<LegalHold>(context.client, LEGAL_HOLD, { namespace, name }, (current) => statusOf({ ...hold, ...(current.status ? { status: current.status } : {}) }), { uid, barrier: context.barrier, ...(signal ? { signal } : {}) });
    announce(context.events, hold.status?.conditions, stored, action);
  }

  /** The object goes, the protection stays: a copy is in force first, with all that stands, then the old entry is taken out. */
  async function leave(hold: LegalHold, signal: AbortSignal): ReturnType<Reconcile> {
    const waited = context.clock.now() - Date.parse(hold.metadata.deletionTimestamp ?? '');
    const work: HoldContext = { connections: context.connections, facts: context.facts, owner: context.owner, now: () => context.clock.now(), signal };
    const declarations = await context.declarations.read();
    const stores = mayStandIn(hold, await context.client.list<DataStore>(DATA_STORE), declarations);
    const ending = endingOf(hold, stores, declarations);
    // A store that cannot be reached must not keep a namespace from going for ever: its entry stays, for the copy to take over.
    const late = waited >= LEAVE_WITHIN_MS;
    const copy = ending.ends ? undefined : await survive(hold, declarations, context);
    try {
      // Released and deleted in one go: without this its entries would stay in the stores, and no object could lift them.
      if (ending.ends) await letGo(hold, stores, ending, declarations, work);
      // A copy that two people have released meanwhile speaks for this one too.
      else if (copy && hasEnded(copy)) await releaseEverywhere(stores, hold, declarations, work);
      // One that nobody has looked at does not know yet where it has to take over.
      else if (!copy?.status?.stores || (!(await handedOver(hold, copy, stores, late, work)) && !late)) return requeueAfter(2_000);
    } catch (error) {
      if (!late) throw error;
    }
    await removeFinalizer(context.client, LEGAL_HOLD, hold, FINALIZER);
    return done();
  }

  async function letGo(hold: LegalHold, stores: readonly DataStore[], ending: Ending, list: HoldList, work: HoldContext): ReturnType<Reconcile> {
    if (hold.status?.state === 'Released') return done();
    await releaseEverywhere(stores, hold, list, work);
    await note(hold, 'hold.released', { requestedBy: hold.spec.release?.request.by ?? '', approvedBy: hold.spec.release?.approval?.by ?? '', ...(ending.successors.length > 0 ? { successors: ending.successors.join(' ') } : {}) });
    const now = context.clock.now();
    await save(hold, (current) => releasedStatus(current, now, ending), 'Release');
    return done();
  }

  async function note(hold: LegalHold, action: string, refs: Record<string, string | number>): Promise<void> {
    const { namespace = '', name, uid = '' } = hold.metadata;
    await context.audit.append({ actor: context.actor, action, object: { kind: 'LegalHold', namespace, name, uid }, outcome: 'Done', refs: { matter: hold.spec.matter, ...refs } });
  }
}

/** Whether a hold has left each store for its copy; one that is not in force everywhere is waited for, until it is late. */
async function handedOver(hold: LegalHold, copy: LegalHold, stores: readonly DataStore[], late: boolean, work: HoldContext): Promise<boolean> {
  const { state, observedGeneration, storesTotal } = copy.status ?? {};
  // Where it reaches no store none can be waited for; what the hold still stands in is asked below.
  const inForce = (state === 'Active' || storesTotal === 0) && observedGeneration === copy.metadata.generation;
  if (!inForce && !late) return false;
  const handed = await everywhere(stores, (store) => handOver(hold, copy, store, work));
  return handed.every(Boolean);
}

async function releaseEverywhere(stores: readonly DataStore[], hold: LegalHold, list: HoldList, work: HoldContext): Promise<void> {
  await everywhere(stores, (store) => release(hold, store, list, work));
}

/** A store that cannot be reached does not keep the hold in the others; it is tried again, because its failure is thrown. */
async function everywhere<Result>(stores: readonly DataStore[], ask: (store: DataStore) => Promise<Result>): Promise<Result[]> {
  const results = await Promise.allSettled(stores.map(ask));
  return results.map((result) => {
    if (result.status === 'rejected') throw result.reason;
    return result.value;
  });
}
