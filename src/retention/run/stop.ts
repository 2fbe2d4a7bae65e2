import { isDeepStrictEqual } from 'node:util';
import type { PurgeRun } from '../../api/generated/purgeRun.ts';
import type { DataStore } from '../../api/generated/dataStore.ts';
import type { LegalHold } from '../../api/generated/legalHold.ts';
import type { RetentionPolicy } from '../../api/generated/retentionPolicy.ts';
import { DATA_STORE, LEGAL_HOLD, PURGE_RUN, RETENTION_POLICY } from '../../api/kinds.ts';
import type { Reason } from '../../api/reasons.ts';
import type { DeclarationSource } from '../../connect/declarations.ts';
import { failureOf } from '../../connect/failures.ts';
import { pendingHolds, type Declarations } from '../../rules/store-rules.ts';
import { ApiError, type Client } from '../../runtime/client.ts';
import { frozenBy } from './freeze.ts';
import { policyRef } from './observe.ts';

/** Why a run that is at work must not begin its next batch. */
export interface Stop {
  reason: Reason;
  why: string;
}

export interface StopContext {
  client: Client;
  /** What the work was decided on, read live. A change that came since, and is in the cache already, is one too. */
  decidedOn: Declarations;
  /** Cached: a watch brings changes within milliseconds, and a list before each batch would not end well. */
  declarations: DeclarationSource;
  rootNamespace: string;
  frozen: boolean;
  /** Aborts when this process stops or no longer leads. */
  leaving: AbortSignal;
  /** When the window of the schedule closes, milliseconds. */
  endsAt: number;
  now: () => number;
}

/** A cache whose watch is broken goes on showing the holds of before: so often at least they are read themselves. */
const READ_HOLDS_EVERY_MS = 5_000;
/** Of one answer, put together from several reads: what the first of them saw may have changed by the last. */
const LONGEST_ANSWER_MS = 1_000;
const ATTEMPTS = 3;

/**
 * Makes the question that is asked before each batch. Run, policy, store and freeze are read at the API server itself,
 * every few seconds the holds too: while those cannot be read, nobody knows what must stay.
 * Any change of a policy, map, hold or label they select by ends the stretch, so that the next one is decided on what is
 * declared then.
 */
export function watchForStop(run: PurgeRun, store: DataStore, policy: RetentionPolicy, context: StopContext): () => Promise<Stop | undefined> {
  const namespace = run.metadata.namespace ?? '';
  const begun = versionOf(context.decidedOn);
  const placed = placeOf(store, context.decidedOn);
  const ref = policyRef(run) ?? { namespace: policy.metadata.namespace ?? '', name: policy.metadata.name };
  let heldAt = Number.NEGATIVE_INFINITY;

  const ask = async (): Promise<Stop | undefined> => {
    if (context.leaving.aborted) return { reason: 'Progressing', why: 'the operator stops; the next one goes on where this one was' };
    if (context.now() >= context.endsAt) return { reason: 'WaitingForWindow', why: 'the window of the schedule is over; the run goes on in the next one' };
    const [current, standing, there, frozen, declarations] = await Promise.all([
      context.client.get<PurgeRun>(PURGE_RUN, { namespace, name: run.metadata.name }),
      context.client.get<RetentionPolicy>(RETENTION_POLICY, ref),
      context.client.get<DataStore>(DATA_STORE, { namespace, name: store.metadata.name }),
      frozenBy(context.client, { rootNamespace: context.rootNamespace, namespace, flag: context.frozen }),
      context.declarations.read(),
    ]);
    if (frozen) return { reason: 'Frozen', why: frozen };
    if (!current || current.metadata.uid !== run.metadata.uid || current.metadata.deletionTimestamp) return { reason: 'Superseded', why: 'the PurgeRun was deleted' };
    if (!standing || standing.metadata.uid !== policy.metadata.uid || standing.metadata.deletionTimestamp) return { reason: 'Superseded', why: 'the policy of this run was deleted' };
    if (standing.spec.purge?.suspend) return { reason: 'Suspended', why: 'spec.purge.suspend of the policy was set' };
    if (standing.metadata.generation !== policy.metadata.generation) return { reason: 'Progressing', why: 'the policy was changed; the run is decided anew' };
    if (!there || there.metadata.uid !== store.metadata.uid || there.metadata.deletionTimestamp) return { reason: 'Superseded', why: 'the DataStore of this run was deleted' };
    if (there.metadata.generation !== store.metadata.generation) return { reason: 'Progressing', why: 'the DataStore was changed; the run is decided anew' };
    let { holds } = declarations;
    if (context.now() - heldAt >= READ_HOLDS_EVERY_MS) {
      holds = [...holds, ...(await context.client.list<LegalHold>(LEGAL_HOLD))];
      heldAt = context.now();
    }
    const [pending] = pendingHolds(there, { ...declarations, holds });
    if (pending) return { reason: 'HoldPending', why: `LegalHold ${pending.metadata.namespace}/${pending.metadata.name} is being brought into force` };
    if (versionOf(declarations) !== begun) return { reason: 'Progressing', why: 'a policy or a map was changed; the run is decided anew' };
    if (!isDeepStrictEqual(placeOf(there, declarations), placed)) return { reason: 'Progressing', why: 'labels of the DataStore or of a namespace were changed, by which policies, holds and stores select; the run is decided anew' };
    return undefined;
  };
  const askInTime = async (): Promise<Stop | undefined> => {
    for (let attempt = 1; attempt <= ATTEMPTS; attempt += 1) {
      const began = context.now();
      const stop = await ask();
      if (stop || context.now() - began <= LONGEST_ANSWER_MS) return stop;
    }
    return { reason: 'ReadFailed', why: `the API server took longer than ${LONGEST_ANSWER_MS / 1000} s, ${ATTEMPTS} times, to say whether the run may go on, and nothing is deleted on an answer as old; look at the API server, it is asked again` };
  };
  // What cannot be read may be a reason to stop; told as one, what was deleted until now is put on record as after any other.
  return () =>
    askInTime().catch((error: unknown) => {
      if (!(error instanceof ApiError)) throw error;
      const { reason, message } = failureOf(error);
      return { reason, why: message };
    });
}

/** Changes whenever any spec does; statuses do not count. */
function versionOf(declarations: Declarations): string {
  const objects = [...declarations.maps, ...declarations.policies];
  return objects.map((object) => `${object.metadata.uid}:${object.metadata.generation}`).toSorted().join(' ');
}

/** The labels that say which policies, holds and maps count for the store: a new one moves no generation. */
function placeOf(store: DataStore, { maps, namespaces }: Declarations): object {
  const asked = new Set([store, ...maps].map(({ metadata }) => metadata.namespace ?? ''));
  return { store: { ...store.metadata.labels }, namespaces: Object.fromEntries([...asked].map((name) => [name, namespaces.get(name)])) };
}
