import type { DataStore } from '../../api/generated/dataStore.ts';
import type { PurgeRun } from '../../api/generated/purgeRun.ts';
import type { StoreConnections } from '../../connect/stores.ts';
import type { Journal } from '../../evidence/audit/journal.ts';
import { TerminalError } from '../../runtime/result.ts';
import type { StoreWriter } from '../../stores/port.ts';
import type { DomainMetrics } from '../../telemetry/metrics.ts';
import { tableName } from '../../stores/predicate.ts';
import type { JournalRow } from '../../stores/purging.ts';
import { perClient } from './client-counts.ts';
import { nameOfStore, objectOf } from './names.ts';

/** How far a run has got, by the store's own journal. */
export interface Ledger {
  /** Rows deleted by the run so far, the batches told by `count` included. */
  deleted(): number;
  count(rows: number): void;
  /** Brings what is new in the journal into the audit log, each row once; gives the rows deleted, as the journal says. */
  takeOver(): Promise<number>;
  /** Number of the last row of the journal that is in the audit log; 0: none. */
  through(): number;
}

export interface LedgerContext {
  journal: Journal;
  actor: string;
  /** A client's key as evidence may carry it: a name, or a pseudonym where it looks like a person. */
  nameClient: (key: string) => string;
  metrics: Pick<DomainMetrics, 'purgeRows'>;
}

/**
 * The store has fewer rows of a run than the audit log took over from it. It was put back to an earlier time, or the run
 * ended long ago and was trimmed. What is left of its limit is unknown then, and a batch of it would take a number that
 * is on record already, so it must not go on.
 */
export class JournalLostError extends TerminalError {
  constructor(lost: string) {
    super('Rewound', `${lost}; what is known to be deleted is in the audit log, the rest needs a new plan`);
  }
}

/**
 * Opens the ledger of a run and brings it up to date. What the audit log has already is added up in the store and not
 * read again: a run that was at work for a night has a row for each batch, and every stretch of it begins here.
 *
 * @throws JournalLostError when the store does not have what is on record
 */
export async function openLedger(work: { run: PurgeRun; store: DataStore }, writer: Pick<StoreWriter, 'journal' | 'journalTotals'>, context: LedgerContext): Promise<Ledger> {
  const uid = work.run.metadata.uid ?? '';
  const run = { store: nameOfStore(work.store), run: uid, object: objectOf(work.run), actor: context.actor };
  let seen = context.journal.through(run.store, uid);
  const known = await writer.journalTotals(uid, seen);
  if (known.lastSeq < seen) throw new JournalLostError(`the audit log has the run's batches up to number ${seen}, the journal in the store only up to ${known.lastSeq}: the store was put back, or the run ended long ago`);
  if (known.rows < known.lastSeq) throw new JournalLostError(`the journal in the store has ${known.rows} of the first ${known.lastSeq} batches of the run: somebody removed rows of dataward.journal`);
  let journalled = known.deleted;
  let told = 0;
  const ledger: Ledger = {
    deleted: () => Math.max(journalled, told),
    through: () => seen,
    count(rows) {
      told += rows;
    },
    async takeOver() {
      for (let page = await writer.journal(uid, seen); page.length > 0; page = await writer.journal(uid, seen)) {
        // Numbers are given without a gap, in the transaction that deletes: one that is missing was taken out, and rows with it.
        const gap = page.findIndex((row, index) => row.seq !== seen + 1 + index);
        if (gap >= 0) throw new JournalLostError(`the journal in the store has no batch ${seen + 1 + gap} of the run any more: somebody removed rows of dataward.journal`);
        await context.journal.takeOver(run, page.map((row) => entryOf(row, context.nameClient)));
        const rows = page.reduce((sum, row) => sum + row.deleted, 0);
        context.metrics.purgeRows.inc({ action: 'Delete', engine: work.store.spec.engine }, rows);
        journalled += rows;
        seen += page.length;
      }
      told = Math.max(told, journalled);
      return journalled;
    },
  };
  told = await ledger.takeOver();
  return ledger;
}

/** Whether rows may have gone in the name of a run. */
export function hasBegun(run: PurgeRun): boolean {
  return ['Running', 'Paused', 'Verifying'].includes(run.status?.state ?? '');
}

/**
 * Puts on record what a run deleted that goes no further: its last batches may have been committed just before a process
 * died. Gives the rows it deleted in all; undefined where the store has less of them than is on record already.
 */
export async function recordRest(work: { run: PurgeRun; store: DataStore }, connections: StoreConnections, context: LedgerContext & { signal: AbortSignal }): Promise<number | undefined> {
  const writer = await connections.writer(work.store, context.signal);
  try {
    return (await openLedger(work, writer, context)).deleted();
  } catch (error) {
    if (error instanceof JournalLostError) return undefined;
    throw error;
  } finally {
    await writer.close();
  }
}

/** Of clients, in one record: a line of the audit log is not longer than 64 KiB. */
const CLIENT_BYTES = 49_152;

function entryOf({ seq, epoch, collection, table, method, deleted, clients, at }: JournalRow, nameClient: (key: string) => string): { seq: number; [field: string]: string | number | Record<string, number> } {
  const { named, others } = perClient(Object.entries(clients), nameClient, CLIENT_BYTES);
  return { seq, epoch, collection, table: tableName(table), method, deleted, clients: Object.fromEntries(named.map(({ client, deleted: rows }) => [client, rows])), ...(others ? { otherClients: others } : {}), at };
}
