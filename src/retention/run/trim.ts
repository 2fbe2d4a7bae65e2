import type { DataStore } from '../../api/generated/dataStore.ts';
import type { PurgeRun } from '../../api/generated/purgeRun.ts';
import { PURGE_RUN } from '../../api/kinds.ts';
import type { StoreConnections } from '../../connect/stores.ts';
import type { Journal } from '../../evidence/audit/journal.ts';
import type { AuditLog } from '../../evidence/audit/log.ts';
import type { Client } from '../../runtime/client.ts';
import type { JournalledRun } from '../../stores/journal.ts';
import type { StoreWriter } from '../../stores/port.ts';
import type { Logger } from '../../telemetry/logger.ts';
import { nameOfStore } from './names.ts';
import { FINAL_STATES } from './plan.ts';

/**
 * Takes old runs out of the journal a store keeps beside its data, which would grow for ever otherwise. It is done when
 * a run of the store has ended: the journal grows by nothing else, and the login that may is known to work.
 */

/**
 * How long a run stays in the journal after its last batch: well past the time backups of a database and of the audit
 * log usually go back, so that what one of them lost is found in the other.
 */
export const JOURNAL_KEPT_DAYS = 90;
/** A pass begins no further run after this many, so that the end of a run is not held up; the next pass goes on. */
const PASS = { runs: 20, rows: 100_000, millis: 30_000 } as const;

export interface TrimContext {
  client: Client;
  connections: StoreConnections;
  audit: AuditLog;
  journal: Journal;
  /** Last record of the audit log that a checkpoint covers. */
  anchored: () => number;
  actor: string;
  /** This installation, as the stores it owns know it. */
  owner: string;
  logger: Logger;
  now: () => number;
  signal: AbortSignal;
}

/** What decides about one run beside its age, which the store looks at. */
export interface TrimFacts {
  /** Runs that have not ended, by uid. */
  open: ReadonlySet<string>;
  /** Last row of a run in the audit log, and the record that has it; 0: none. */
  through: (run: string) => number;
  recordedAt: (run: string) => number;
  /** Last record that a checkpoint covers. */
  anchored: number;
}

/** The runs that may go: ended, and the audit log has every row of them in records that a checkpoint covers. Pure. */
export function trimmableRuns(runs: readonly JournalledRun[], { open, through, recordedAt, anchored }: TrimFacts): JournalledRun[] {
  return runs.filter(({ run, lastSeq }) => !open.has(run) && through(run) >= lastSeq && recordedAt(run) > 0 && recordedAt(run) <= anchored);
}

/**
 * One bounded pass over the journal of a store. To do it again does no harm, and neither does a crash at any point: a run
 * goes whole or not at all, after the audit log says so. Gives how much went.
 */
export async function trimJournal(store: DataStore, context: TrimContext): Promise<{ runs: number; rows: number }> {
  const writer = await context.connections.writer(store, context.signal);
  try {
    return await trim(store, writer, context);
  } finally {
    await writer.close();
  }
}

async function trim(store: DataStore, writer: StoreWriter, context: TrimContext): Promise<{ runs: number; rows: number }> {
  const began = context.now();
  const limit = { before: new Date(began - JOURNAL_KEPT_DAYS * 86_400_000).toISOString(), owner: context.owner };
  const old = await writer.journalledRuns(limit);
  if (old.length === 0) return { runs: 0, rows: 0 };
  const name = nameOfStore(store);
  const { journal } = context;
  const may = trimmableRuns(old, { open: await openRuns(store, context.client), through: (run) => journal.through(name, run), recordedAt: (run) => journal.recordedAt(name, run), anchored: context.anchored() });
  const gone = { runs: 0, rows: 0 };
  for (const { run, lastSeq } of may.slice(0, PASS.runs)) {
    if (gone.rows >= PASS.rows || context.now() - began >= PASS.millis) break;
    const { namespace = '', uid = '' } = store.metadata;
    await context.audit.append({ actor: context.actor, action: 'journal.trimmed', object: { kind: 'DataStore', namespace, name: store.metadata.name, uid }, outcome: 'Intended', refs: { store: name, run, through: lastSeq, record: journal.recordedAt(name, run) } });
    const rows = await writer.trimJournal(run, { ...limit, lastSeq });
    gone.runs += rows > 0 ? 1 : 0;
    gone.rows += rows;
  }
  const left = { forLater: may.length - gone.runs, kept: old.length - may.length };
  if (may.length > 0) context.logger.info('old runs were taken out of the journal of a store', { store: name, ...gone, ...left });
  return gone;
}

/** Read anew: a run that is not there has ended, for nobody can take it up again. */
async function openRuns(store: DataStore, client: Client): Promise<Set<string>> {
  const runs = await client.list<PurgeRun>(PURGE_RUN, { namespace: store.metadata.namespace ?? '' });
  return new Set(runs.filter((run) => !FINAL_STATES.includes(run.status?.state ?? 'Waiting')).map((run) => run.metadata.uid ?? ''));
}
