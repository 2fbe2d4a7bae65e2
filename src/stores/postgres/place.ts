import type { Connection } from './connection.ts';
import { admit } from './fence.ts';
import { appendJournal } from './journal.ts';
import type { BatchPosition } from './journal.ts';
import type { ResolvedTable } from './sql.ts';
import { changing } from './transaction.ts';
import type { StepWork } from './work.ts';

/**
 * Puts on record that pages were visited in which nothing was due, so that whoever goes on begins after them. A batch does so
 * by itself; this is for a look that was stopped.
 *
 * @throws StoreError `Frozen`, `Fenced`, `ForeignOwner`
 */
export async function recordPlace(connection: Connection, { context, step }: Pick<StepWork, 'context' | 'step'>, { schema, name }: ResolvedTable, position: BatchPosition): Promise<void> {
  await changing(connection, { lockTimeoutMs: 5_000, statementTimeoutMs: 10_000 }, async () => {
    // Nothing is deleted, so it does not matter which holds are known.
    await admit(connection, { claim: context.claim, holdsRevision: 0 });
    await appendJournal(connection, context.claim, { collection: step.collection, table: { schema, name }, method: 'BlockRange', kind: 'Batch', position, deleted: 0, clients: {} });
  });
}
