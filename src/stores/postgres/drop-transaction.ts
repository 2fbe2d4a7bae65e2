import { countDeleted } from './batch.ts';
import { resolveTables } from './catalogue.ts';
import type { Connection } from './connection.ts';
import { lockStanding } from './drop-stages.ts';
import { admit } from './fence.ts';
import { appendJournal } from './journal.ts';
import type { DropPosition } from './journal.ts';
import { deletesAreWatched } from './partition-catalogue.ts';
import { COUNT_TIMEOUT_MS } from './partition-due.ts';
import { quoteTable } from './sql.ts';
import type { ResolvedTable } from './sql.ts';
import { countForDrop } from './statements.ts';
import type { Target } from './target.ts';
import { beginChanging } from './transaction.ts';
import type { Compiled, StepWork } from './work.ts';

export type Finished =
  | { kind: 'dropped'; seq: number; deleted: number; clients: Record<string, number> }
  /** It is not what the journal says any more; `half detached` is for `detachConcurrently` to finish first. */
  | { kind: 'moved' | 'gone' | 'half detached' }
  /** A row of it must stay, or something has to be told of each row that goes. */
  | { kind: 'keeps rows' }
  /** A hold came or went, a column changed, or it was attached, since the conditions were compiled. */
  | { kind: 'outdated' };

/**
 * The destructive transaction of a drop: lock, count, fence, drop, journal, commit. What is asked before the DROP is asked
 * under locks that keep the answer true until the commit:
 *
 * 1. it is the partition of the journal, by number, name and parent;
 * 2. it is a part of the table that was known when the conditions were compiled, so that holds on its own name are among them;
 * 3. its columns are those the conditions were compiled for;
 * 4. no trigger, rule or publication waits for single rows to go;
 * 5. every row is due, none is kept or referred to: counted one by one;
 * 6. the run is ours, the store is ours and not frozen, and no hold came since the conditions were compiled;
 * 7. the columns of the other tables that were read are those the conditions were compiled for;
 * 8. the run may still delete as many rows.
 *
 * @param ask called when the rows are counted, which may have taken long: throws `Unanswered` when none may be dropped any more
 * @throws StoreError `Frozen`, `Fenced`, `ForeignOwner`; with a state of the server where the server does not let it be dropped
 */
export async function dropUnderLock(connection: Connection, { context, step, allowance }: StepWork, compiled: Compiled, intent: DropPosition, ask: () => Promise<void>): Promise<Finished> {
  // The application has as many processes of the server for itself as while rows are deleted one by one.
  const begin = `${beginChanging({ lockTimeoutMs: context.pace.lockTimeoutMillis, statementTimeoutMs: COUNT_TIMEOUT_MS })}; SET LOCAL max_parallel_workers_per_gather = ${Math.max(1, context.pace.workers) - 1}`;
  return connection.transaction(async (): Promise<Finished> => {
    const { state, standing } = await lockStanding(connection, intent);
    if (standing === undefined || state === 'moved' || state === 'gone') return { kind: state === 'moved' ? 'moved' : 'gone' };
    if (state === 'pending') return { kind: 'half detached' };
    const { target, resolver, holdsRevision } = compiled;
    const leaf = partsOf(target).find(({ oid }) => oid === intent.leaf);
    if (leaf === undefined || leaf.columnsHash !== standing.columnsHash) return { kind: 'outdated' };
    if (await deletesAreWatched(connection, [target.table.oid, leaf.oid])) return { kind: 'keeps rows' };
    const { text, values } = countForDrop(target.what, { ...leaf, ...intent.name }, resolver);
    const { rows } = await connection.query<{ client: string | null; rows: string; kept: string }>(text, values);
    await ask();
    // Not before: a hold that is put meanwhile does not wait for the count, or the answer.
    if ((await admit(connection, { claim: context.claim, holdsRevision })) === 'holds changed') return { kind: 'outdated' };
    if (!(await readsAsCompiled(connection, target))) return { kind: 'outdated' };
    if (rows.some(({ kept }) => kept !== '0')) return { kind: 'keeps rows' };
    const { deleted, clients } = countDeleted(target.rule.client, { rows: rows.map((row) => ({ client: row.client, deleted: row.rows })), rowCount: 0 });
    if (!allowance.covers(deleted)) return { kind: 'keeps rows' };
    const [parent] = standing.parents;
    if (parent !== undefined) await connection.query(`ALTER TABLE ${quoteTable(parent)} DETACH PARTITION ${quoteTable(intent.name)}`);
    await connection.query(`DROP TABLE ${quoteTable(intent.name)}`);
    const seq = await appendJournal(connection, context.claim, { collection: step.collection, table: intent.name, method: 'DropPartition', kind: 'Drop', position: intent, deleted, clients });
    return { kind: 'dropped', seq, deleted, clients };
  }, begin);
}

/** Since rows were counted by them nobody can change the columns of a table. */
async function readsAsCompiled(connection: Connection, { reads }: Target): Promise<boolean> {
  if (reads.length === 0) return true;
  const now = await resolveTables(connection, reads);
  return reads.every((table) => now(table).oid === table.oid && now(table).columnsHash === table.columnsHash);
}

/** The heap tables of a collection, attached or not. */
export function partsOf({ leaves, apart }: Pick<Target, 'leaves' | 'apart'>): ResolvedTable[] {
  return [...leaves, ...apart.filter((table) => table !== undefined)];
}
