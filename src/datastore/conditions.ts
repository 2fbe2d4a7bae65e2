import { removeCondition, setCondition } from '../api/conditions.ts';
import type { DataStore } from '../api/generated/dataStore.ts';
import type { Condition } from '../api/object.ts';
import type { Reason } from '../api/reasons.ts';
import type { Believed } from '../connect/believed.ts';
import { failureOf, RETRY_AFTER_MS, type Failure } from '../connect/failures.ts';
import { coverage } from '../rules/coverage.ts';
import { conditionsFor, TerminalError, WaitingError, type Outcome } from '../runtime/result.ts';
import { StoreError } from '../stores/errors.ts';
import { authorized } from './authorized.ts';
import type { Observation } from './observe.ts';
import { leftApart } from './undone.ts';

/** The conditions of a store after a look. Those that others own are passed through. Pure. */
export function storeConditions(store: DataStore, observation: Observation, known: Believed, now: number): Condition[] {
  const generation = store.metadata.generation ?? 0;
  const { verdict, failure, probeFailure } = observation;
  const refused = verdict && 'message' in verdict ? verdict : undefined;
  const problem = failure ?? probeFailure;
  const may = authorized(store, observation.logins, refused ? { reason: refused.is, message: refused.message } : problem);
  const unfit = may.status === 'True' ? undefined : { reason: may.reason, message: may.message };
  let list = conditionsFor(outcomeOf(refused, problem ?? unfit ?? leftApart(observation.undone) ?? uncounted(observation)), { generation, now, ...(store.status?.conditions ? { conditions: store.status.conditions } : {}) });
  const set = (type: string, status: Condition['status'], reason: string, message: string): void => {
    list = setCondition(list, { type, status, reason, message, observedGeneration: generation }, now);
  };
  if (observation.identity) set('Reachable', 'True', 'Connected', 'The store answered and proved its identity.');
  else set('Reachable', reachability(observation), problem?.reason ?? 'Progressing', problem?.message ?? 'The store has not been asked yet.');
  set('Authorized', may.status, may.reason, may.message);
  if (observation.inventory && observation.rules && known.inventory?.believed) {
    const found = coverage(observation.inventory.inventory, observation.rules.resolved, observation.rules.maps);
    const open = found.unclassified ?? 0;
    if (open === 0) set('Covered', 'True', 'FullyCovered', `All ${found.tables ?? 0} tables are described or declared free of personal data.`);
    else set('Covered', 'False', 'Unclassified', `${open} of ${found.tables ?? 0} tables are not fully described, first ${found.worst?.[0]?.table}: ${found.worst?.[0]?.why}; describe them in a DataMap`);
  } else if (known.inventory && !refused) {
    const why = problem?.message ?? 'they were not read since';
    set('Covered', 'Unknown', 'FactsExpired', `What was read of the tables at ${new Date(known.inventory.at).toISOString()} counted until ${new Date(known.inventory.until).toISOString()}: ${why}`);
  } else {
    set('Covered', 'Unknown', refused?.is ?? problem?.reason ?? 'Progressing', refused?.message ?? problem?.message ?? 'The tables have not been read yet.');
  }
  if (refused?.is === 'Rewound') set('Rewound', 'True', 'Rewound', refused.message);
  else if (verdict) list = removeCondition(list, 'Rewound');
  if (verdict?.is === 'Restored') {
    // Taken out first: the time of this restore counts, not that of an earlier one.
    list = removeCondition(list, 'Restored');
    set('Restored', 'True', 'Restored', 'A person confirmed that the store was put back. Rows deleted since are due again, and a person approves the next run of each collection, because approvals of before are void.');
  }
  // Where the fence could not be read, what was seen of it before stands.
  if (observation.fence?.frozen) {
    const { by, reason: why, at } = observation.fence.frozen;
    set('Frozen', 'True', 'Frozen', `Frozen in the store by ${by} since ${at}: ${why}. Nothing is deleted there until SELECT dataward.thaw() is called in it.`);
  } else if (observation.fence) list = removeCondition(list, 'Frozen');
  return list;
}

/** What a collection could not be counted for, while all else went well. */
function uncounted({ counts }: Observation): Failure | undefined {
  const found = (counts?.counts ?? []).flatMap(({ collection, uncounted: because }) => (because ? [{ collection, because }] : []));
  const [first] = found;
  if (!first) return undefined;
  const more = found.length > 1 ? ` (and ${found.length - 1} more)` : '';
  return { ...failureOf(new StoreError(first.because.reason, `${first.collection} is not counted: ${first.because.message}${more}`)) };
}

/** What keeps the operator from asking the store at all. */
const UNASKED: readonly Reason[] = ['InvalidSpec', 'SecretNotFound', 'SecretNotBound', 'SecretInvalid', 'CaNotFound', 'ReadFailed', 'InternalError'];

/**
 * Without a login: a store that answered the probe but refused us is reached, not usable. Before a pooler nobody reached the
 * store. One that was not asked may stand there or not.
 */
function reachability(observation: Observation): Condition['status'] {
  const reason = observation.failure?.reason ?? observation.probeFailure?.reason;
  if (!observation.transport && (reason === undefined || UNASKED.includes(reason))) return 'Unknown';
  const unanswered = reason === 'Unreachable' || reason === 'PoolerRefused';
  return unanswered || !observation.transport ? 'False' : 'True';
}

function outcomeOf(refused: { is: string; message: string } | undefined, problem: Failure | undefined): Outcome {
  if (refused) return { kind: 'error', error: new TerminalError(refused.is, refused.message) };
  if (problem) return { kind: 'error', error: new WaitingError(problem.reason, problem.message, RETRY_AFTER_MS) };
  return { kind: 'ready', reason: 'Evaluated', message: 'The store was observed.' };
}
