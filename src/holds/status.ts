import { setCondition, type ConditionUpdate } from '../api/conditions.ts';
import type { HeldStore, LegalHold, LegalHoldStatus } from '../api/generated/legalHold.ts';
import type { Condition } from '../api/object.ts';
import type { Reason } from '../api/reasons.ts';
import { unreadConditions, type Failure } from '../connect/failures.ts';
import { conditionsFor, WaitingError, type Outcome } from '../runtime/result.ts';
import type { StoreOutcome } from './apply.ts';
import type { HeldRows } from './count.ts';
import type { HoldSubjects } from './observe.ts';
import { supersededCondition, type Ending } from './succession.ts';

const WORST = 50;

/**
 * The status of a hold that is in force: Active, and Ready, only once it is committed in every store it reaches. One that
 * reaches none protects nothing, and says so.
 *
 * @param succession conditions about who takes whose place; earlier ones go
 */
export function holdStatus(hold: LegalHold, outcomes: readonly StoreOutcome[], subjects: HoldSubjects, now: number, succession: readonly ConditionUpdate[] = []): LegalHoldStatus {
  const failed = outcomes.filter((outcome) => outcome.failed);
  const enforced = outcomes.length - failed.length;
  const stores = outcomes.map((outcome) => outcome.store).toSorted((a, b) => Number(a.enforcedSince !== undefined) - Number(b.enforcedSince !== undefined));
  const complete = failed.length === 0;
  return {
    ...hold.status,
    // Purges wait for the generation named here, so a newer scope counts only when it stands everywhere.
    observedGeneration: complete ? (hold.metadata.generation ?? 0) : (hold.status?.observedGeneration ?? 0),
    state: complete && outcomes.length > 0 ? 'Active' : 'Pending',
    revision: hold.metadata.generation ?? 0,
    storesTotal: outcomes.length,
    storesEnforced: enforced,
    stores: stores.slice(0, WORST),
    truncated: Math.max(0, stores.length - WORST),
    secrets: subjects.pins,
    conditions: withSuccession(conditions(hold, outcomes, subjects, complete, now), succession, now),
  };
}

/** What is said of a hold when nobody could read where it applies: it stands where it stood, but that is not known to be everywhere. */
export function unreadStatus(hold: LegalHold, failure: Failure, now: number): LegalHoldStatus {
  return { ...hold.status, state: hold.status?.state ?? 'Pending', conditions: unreadConditions(hold, failure, now, ['AsWritten']) };
}

/**
 * The status with what was counted in one of its stores. Where nothing could be counted, the figure of before stays with its
 * time, as no more than a lower bound: a time of now would say that it was looked at.
 */
export function withCount(hold: LegalHold, of: HeldStore, counted: HeldRows, now: number): LegalHoldStatus {
  const stores = hold.status?.stores?.map((entry): HeldStore => {
    if (entry.namespace !== of.namespace || entry.name !== of.name) return entry;
    if (counted.items === undefined) return { ...entry, ...counted };
    const { emptyBlocks: _before, ...kept } = entry;
    return { ...kept, ...counted, countedAt: new Date(now).toISOString() };
  });
  return { ...hold.status, ...(stores ? { stores } : {}) };
}

function conditions(hold: LegalHold, outcomes: readonly StoreOutcome[], subjects: HoldSubjects, complete: boolean, now: number): Condition[] {
  const generation = hold.metadata.generation ?? 0;
  const failed = outcomes.find((outcome) => outcome.failed);
  const outcome: Outcome = complete
    ? standing(hold, outcomes.length, now)
    : { kind: 'error', error: new WaitingError('HoldPending', `${failed?.store.namespace}/${failed?.store.name}: ${failed?.store.message ?? 'not committed'}`, 5_000) };
  const list = conditionsFor(outcome, { generation, now, ...(hold.status?.conditions ? { conditions: hold.status.conditions } : {}) });
  return setCondition(list, { type: 'AsWritten', observedGeneration: generation, ...asWritten(hold, outcomes, subjects) }, now);
}

/** Whether the hold covers what it says. More errs by keeping; of less only people can know whether it was meant. */
function asWritten(hold: LegalHold, outcomes: readonly StoreOutcome[], subjects: HoldSubjects): Pick<ConditionUpdate, 'status' | 'message'> & { reason: Reason } {
  const idle = hold.spec.scope.flatMap((_, index) => idleBlock(hold, index, outcomes));
  const nothing = `${idle.slice(0, 3).join('; ')}${idle.length > 3 ? `; and ${idle.length - 3} more` : ''}. A block cannot be changed: have the DataMap accepted that it speaks of, or add a block with the right names and keys`;
  const more = idle.length > 0 ? `. Besides, ${nothing}` : '';
  if (subjects.unreadable.length > 0) {
    const secrets = subjects.unreadable.map((name) => `${hold.metadata.namespace}/${name}`).join(', ');
    return { status: 'False', reason: 'SubjectsUnreadable', message: `The hold covers more than it says: Secret ${secrets} (spec.scope[].subjects) is missing, names nobody or was changed, so the whole block is held; put it there as it was${more}` };
  }
  const widened = outcomes.flatMap((each) => each.widened);
  if (widened.length > 0) return { status: 'False', reason: 'HoldWidened', message: `The hold covers more than it says: ${widened.slice(0, 3).join('; ')}${widened.length > 3 ? `; and ${widened.length - 3} more` : ''}${more}` };
  if (idle.length > 0 && idle.length === hold.spec.scope.length) return { status: 'False', reason: 'NothingHeld', message: `The hold keeps no row: ${nothing}` };
  if (idle.length > 0) return { status: 'False', reason: 'BlockHoldsNothing', message: `The hold covers less than it says: ${nothing}` };
  if (outcomes.some((outcome) => outcome.failed)) return { status: 'Unknown', reason: 'HoldPending', message: 'Not known before the hold is committed in every store it reaches; the condition Ready says what keeps it.' };
  return { status: 'True', reason: 'Resolved', message: 'The hold covers exactly what it says.' };
}

/** Why a block keeps nothing in any store; nothing where it does, or may. */
function idleBlock({ spec }: LegalHold, index: number, outcomes: readonly StoreOutcome[]): string[] {
  const reached = outcomes.filter(({ blocks }) => blocks.some((block) => block.index === index));
  if (reached.length === 0) return [`spec.scope[${index}] reaches no DataStore`];
  const matching = reached.filter(({ blocks }) => blocks.some((block) => block.index === index && block.keeps));
  if (matching.length === 0) return [`spec.scope[${index}] matches no collection of DataStore ${storesOf(reached)}`];
  // Of a store that could not be read the figures are of before.
  if (!matching.every(({ store, failed }) => !failed && store.emptyBlocks?.includes(index))) return [];
  const block = spec.scope[index];
  const narrowed = [block?.clients.keys && 'clients.keys', block?.subjects && 'subjects', block?.between && 'between'].filter((part) => part !== undefined);
  return [`spec.scope[${index}]${narrowed.length > 0 ? ` (${narrowed.join(', ')})` : ''} matched no row of DataStore ${storesOf(matching)} when they were counted; rows that come are kept`];
}

function storesOf(outcomes: readonly StoreOutcome[]): string {
  const stores = outcomes.map(({ store }) => `${store.namespace}/${store.name}`);
  return `${stores.slice(0, 3).join(', ')}${stores.length > 3 ? ` and ${stores.length - 3} more` : ''}`;
}

/** A hold nobody has looked at since its date stays in force, and says so. */
function standing({ spec }: LegalHold, stores: number, now: number): Outcome {
  const overdue = Date.parse(spec.reviewAt) <= now;
  const review = overdue ? ` spec.reviewAt (${spec.reviewAt}) is past: set a new date, or have the hold released.` : '';
  if (stores === 0) return { kind: 'error', error: new WaitingError('NothingHeld', `The hold stands in no store and protects nothing: no DataStore is selected by spec.scope. It comes into force in each that appears, and stays until two people release it.${review}`, 60_000) };
  return { kind: 'ready', reason: overdue ? 'ReviewOverdue' : 'HoldActive', message: `The hold is committed in ${stores} ${stores === 1 ? 'store' : 'stores'}.${review}` };
}

/** A successor that is gone must not be promised any longer, so what is not said anew is taken out. */
function withSuccession(list: readonly Condition[], succession: readonly ConditionUpdate[], now: number): Condition[] {
  const kept = list.filter((each) => !['Superseded', 'Supersedes'].includes(each.type) || succession.some((update) => update.type === each.type));
  return succession.reduce<Condition[]>((conditions, update) => setCondition(conditions, update, now), kept);
}

/** The status of a hold that is out of every store, and who stands in its place. */
export function releasedStatus(hold: LegalHold, now: number, ending: Ending): LegalHoldStatus {
  const generation = hold.metadata.generation ?? 0;
  const heirs = ending.successors.length > 0 ? ` LegalHold ${ending.successors.join(', ')} stands in its place.` : '';
  const message = `Released: requested by one person, approved by another.${heirs} What no hold covers falls under its retention rules again.`;
  const list = conditionsFor({ kind: 'ready', reason: 'HoldReleased', message }, { generation, now, ...(hold.status?.conditions ? { conditions: hold.status.conditions } : {}) });
  return {
    ...hold.status,
    observedGeneration: generation,
    state: 'Released',
    conditions: withSuccession(list, supersededCondition(hold, ending), now),
  };
}
